r"""Paths through latent space: lines, arcs, interpolation, tours, and curves on a cloud's hull.

A path is a polyline [n,D], its vertices in order. Decoders and densities come as functions.
"""

__all__ = [
    "Tour",
    "arc",
    "bilinear_weights",
    "interpolate",
    "line",
    "quantile_grid",
    "resample",
    "shortest_tour",
    "slerp",
]

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Held-Karp keeps 2^C C numbers: 8 MB for 16 nodes, and twice as much for each node more.
_MOST_NODES = 16


class Tour(NamedTuple):
    """A path through all nodes: their order [C] and its length."""

    order: Tensor
    length: float


def line(a: Tensor, b: Tensor, n: int) -> Tensor:
    r"""The straight line :math:`(1-t)\,a + t\,b` at n even steps of t from 0 to 1.

    Its middle is short in many dimensions: for independent a, b ~ N(0, I) it has norm about
    :math:`\sqrt{D/2}` where typical codes have :math:`\sqrt D`; compare :func:`slerp`.

    Args:
        a: Start [D].
        b: End [D].
        n: Number of points, at least 2.

    Returns:
        Points [n,D].

    Raises:
        ValueError: Shapes differ, or n is below 2.
    """
    t = _steps(a, b, n)

    return torch.lerp(a, b, t)


def slerp(a: Tensor, b: Tensor, n: int) -> Tensor:
    r"""The great circle from the direction of a to that of b, with the norm growing evenly.

    .. math:: z(t) = \left( (1-t)\|a\| + t\|b\| \right) \left( \cos(t\omega)\, u
        + \sin(t\omega)\, v \right),

    with :math:`u = a/\|a\|`, v the unit vector orthogonal to u on the side of b, and
    :math:`\omega` the angle between a and b.

    Args:
        a: Start [D], not zero.
        b: End [D], not zero and not opposite to a.
        n: Number of points, at least 2.

    Returns:
        Points [n,D].

    Raises:
        ValueError: Shapes differ, n is below 2, or the great circle is not determined.
    """
    t = _steps(a, b, n)
    norm_a, norm_b = a.norm(), b.norm()
    if norm_a == 0 or norm_b == 0:
        raise ValueError("a and b must not be zero: the origin has no direction")

    u = a / norm_a
    along = u @ b
    aside = b - along * u
    tiny = 8 * torch.finfo(a.dtype).eps * norm_b
    if along < 0 and aside.norm() <= tiny:
        raise ValueError("a and b must not be opposite: every great circle would do")
    angle = t * torch.atan2(aside.norm(), along)
    v = torch.nn.functional.normalize(aside, dim=0, eps=torch.finfo(a.dtype).tiny)

    return torch.lerp(norm_a, norm_b, t) * (angle.cos() * u + angle.sin() * v)


def arc(
    centre: Tensor, plane: tuple[int, int], radius: float, start: float, stop: float, n: int
) -> Tensor:
    r"""An angular direction: a circle's arc in a plane of two latent axes.

    .. math:: z(\theta) = c + r \left( \cos\theta\, e_i + \sin\theta\, e_j \right)

    Args:
        centre: The circle's centre c [D].
        plane: The axes (i, j), different.
        radius: The circle's radius, positive.
        start: First angle in radians, from axis i towards axis j.
        stop: Last angle in radians, reached.
        n: Number of points, at least 2.

    Returns:
        Points [n,D].

    Raises:
        ValueError: An argument is outside its range.
    """
    i, j = plane
    if centre.ndim != 1 or not (0 <= i < len(centre) and 0 <= j < len(centre)) or i == j:
        raise ValueError(
            f"plane must name two different axes of centre [D], got {plane}, "
            f"centre {list(centre.shape)}"
        )
    if not 0 < radius < math.inf:
        raise ValueError(f"radius must be positive and finite, got {radius}")
    if not math.isfinite(start) or not math.isfinite(stop):
        raise ValueError(f"start and stop must be finite, got {start} and {stop}")
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}")

    angle = torch.linspace(start, stop, n, dtype=centre.dtype, device=centre.device)
    points = centre.repeat(n, 1)
    points[:, i] += radius * angle.cos()
    points[:, j] += radius * angle.sin()

    return points


def interpolate(corners: Tensor, weights: Tensor, spherical: bool = False) -> Tensor:
    r"""Convex combinations of K corners: of codes, or of the images themselves (alpha blending).

    .. math:: z = \sum_k w_k c_k \qquad \text{or, spherical,} \qquad
        z = \sum_k w_k c_k \Big/ \Big( \sum_k w_k^2 \Big)^{1/2}

    If the corners are independent draws of N(0, I), a plain combination is N(0, |w|² I), too
    short, and a spherical one is N(0, I) again, for any number of corners.

    Args:
        corners: [K,*].
        weights: Non-negative, summing to 1 over the last axis [...,K]; see
            :func:`bilinear_weights`.
        spherical: Divide by the norm of the weights; for codes, not for images.

    Returns:
        Combinations [...,*].

    Raises:
        ValueError: Shapes do not fit, or weights are not convex.
    """
    if not corners.ndim or not weights.ndim or weights.shape[-1] != len(corners):
        raise ValueError(
            "weights must be [...,K] for corners [K,*], "
            f"got {list(weights.shape)} and {list(corners.shape)}"
        )
    if not corners.is_floating_point():
        raise ValueError(f"corners must be of a floating type, got {corners.dtype}")
    total = weights.sum(-1)
    if not (weights >= 0).all() or not torch.allclose(total, torch.ones_like(total)):
        raise ValueError(
            "weights must be non-negative and sum to 1 over the last axis, got a smallest of "
            f"{weights.min():.3g} and sums from {total.min():.3g} to {total.max():.3g}"
        )

    weights = weights.to(corners.dtype)
    if spherical:
        weights = weights / weights.norm(dim=-1, keepdim=True)

    return torch.tensordot(weights, corners, dims=1)


def bilinear_weights(rows: int, columns: int) -> Tensor:
    """Weights of four corners over a grid: top left, top right, bottom left, bottom right.

    Args:
        rows: Rows of the grid, at least 2.
        columns: Columns of the grid, at least 2.

    Returns:
        Weights [rows,columns,4], which sum to 1.

    Raises:
        ValueError: Fewer than two rows or columns.
    """
    if min(rows, columns) < 2:
        raise ValueError(f"rows and columns must be at least 2, got {rows} and {columns}")

    down = torch.linspace(0, 1, rows)[:, None]
    right = torch.linspace(0, 1, columns)[None, :]

    return torch.stack(
        [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], -1
    )


def quantile_grid(n: int) -> Tensor:
    r"""A grid over the plane, even under N(0, I): the quantiles :math:`(k + ½)/n` of each axis.

    Rows run as in a plot: the first coordinate grows to the right, the second upwards, so that
    the last row holds the smallest.

    Args:
        n: Points along a side, at least 1.

    Returns:
        Points [n,n,2].

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")

    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    quantiles = torch.distributions.Normal(0.0, 1.0).icdf(levels)
    up, right = torch.meshgrid(quantiles.flip(0), quantiles, indexing="ij")

    return torch.stack([right, up], -1).to(torch.get_default_dtype())


def resample(polyline: Tensor, n: int) -> Tensor:
    """The same path at n points, evenly spaced along its Euclidean length.

    The lowest density met on a path is ``log_density(resample(path, 1000)).min()``.

    Args:
        polyline: Vertices [m,D], m at least 2; equal neighbours do no harm.
        n: Number of points, at least 2.

    Returns:
        Points [n,D], the ends among them.

    Raises:
        ValueError: Too few points, or a path of no length.
    """
    _check_polyline(polyline)
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}")
    lengths = polyline.double().diff(dim=0).norm(dim=1)
    if lengths.sum() == 0:
        raise ValueError("polyline must have a length, all its vertices are equal")

    reached = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    wanted = torch.linspace(0, 1, n, dtype=torch.float64, device=polyline.device) * reached[-1]
    segment = (torch.searchsorted(reached, wanted) - 1).clamp_min(0)
    t = (wanted - reached[segment]) / (reached[segment + 1] - reached[segment])

    return torch.lerp(polyline[segment], polyline[segment + 1], t[:, None].to(polyline.dtype))


def shortest_tour(distances: Tensor) -> Tour:
    r"""The shortest open path through all nodes, exactly.

    Held and Karp's recursion: with L(S, j) the length of the shortest path through the set S
    that ends at j in S,

    .. math:: L(S \cup \{k\}, k) = \min_{j \in S} L(S, j) + d_{jk},

    over all sets of one size at once. A path and its reverse have one length: the one returned
    starts at its lower-numbered end. The triangle inequality is not needed.

    Args:
        distances: Symmetric and non-negative [C,C], C at most 16; the diagonal is not used.

    Raises:
        ValueError: Not square, empty, more than 16 nodes, or an entry that is not finite, is
            negative, or differs from its mirror image.

    Source:
        A dynamic programming approach to sequencing problems (Held and Karp, 1962).
    """
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1] or not len(distances):
        raise ValueError(f"distances must be [C,C] with C >= 1, got {list(distances.shape)}")
    n = len(distances)
    if n > _MOST_NODES:
        raise ValueError(f"distances must have at most {_MOST_NODES} nodes to be exact, got {n}")
    d = distances.detach().cpu().double().numpy()
    for wrong, fault in (
        (~np.isfinite(d), "finite"),
        (d < 0, "non-negative"),
        (~np.isclose(d, d.T, rtol=1e-5, atol=0.0), "symmetric"),
    ):
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise ValueError(f"distances must be {fault}, got {d[i, j]} from {i} to {j}")

    nodes, sets = np.arange(n), np.arange(2**n)
    size = np.bitwise_count(sets)
    lengths = np.full((2**n, n), np.inf)
    lengths[1 << nodes, nodes] = 0.0
    for count in range(1, n):
        some = sets[size == count]
        onwards = (lengths[some][:, :, None] + d).min(1)
        s, k = np.nonzero(some[:, None] >> nodes & 1 ^ 1)
        lengths[some[s] | 1 << nodes[k], k] = onwards[s, k]

    rest = 2**n - 1
    order = [int(lengths[rest].argmin())]
    length = float(lengths[rest, order[0]])
    while len(order) < n:
        rest ^= 1 << order[-1]
        order.append(int((lengths[rest] + d[:, order[-1]]).argmin()))
    if order[0] > order[-1]:
        order.reverse()

    return Tour(torch.tensor(order), length)


def _steps(a: Tensor, b: Tensor, n: int) -> Tensor:
    """Even steps from 0 to 1 as a column [n,1]; refuses ends that do not fit."""
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a and b must both be [D], got {list(a.shape)} and {list(b.shape)}")
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}")

    return torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None]


def _check_polyline(polyline: Tensor) -> None:
    if polyline.ndim != 2 or len(polyline) < 2:
        raise ValueError(f"polyline must be [n,D] with n >= 2, got {list(polyline.shape)}")
    if not polyline.isfinite().all():
        raise ValueError("polyline must be finite")
