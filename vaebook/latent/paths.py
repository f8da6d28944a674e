"""Paths through latent space: lines, arcs, interpolation and tours.

A path is a polyline [n, D], its vertices in order, on the device and in the dtype of its ends.
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

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaebook import _checks
from vaebook._checks import double

# Held-Karp keeps 2^C C numbers: 8 MB for 16 nodes, and twice as much for each node more.
_MOST_NODES = 16


class Tour(NamedTuple):
    """A path through all nodes: their order [C] and its length."""

    order: Tensor
    length: float


def line(a: Tensor, b: Tensor, n: int) -> Tensor:
    r"""Return the straight line :math:`(1-t)\,a + t\,b` at n even steps of t from 0 to 1.

    Its middle is short in many dimensions: for independent a, b ~ N(0, I) it has norm about
    :math:`\sqrt{D/2}` where typical codes have :math:`\sqrt D`; compare :func:`slerp`.

    Args:
        a: start [D].
        b: end [D].
        n: number of points, at least 2.

    Returns:
        Points [n, D].

    Raises:
        ValueError: when shapes, dtypes or devices differ, an end is not finite, or n is below 2.

    Example:
        >>> line(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 2.0]), 3)
        tensor([[0.0000, 0.0000],
                [0.5000, 1.0000],
                [1.0000, 2.0000]])
    """
    t = _steps(a, b, n)

    return torch.lerp(a, b, t)


def slerp(a: Tensor, b: Tensor, n: int) -> Tensor:
    r"""Return the great circle from the direction of a to that of b, the norm changing linearly.

    .. math:: z(t) = \left( (1-t)\|a\| + t\|b\| \right) \left( \cos(t\omega)\, u
        + \sin(t\omega)\, v \right),

    with :math:`u = a/\|a\|`, v the unit vector orthogonal to u on the side of b, and
    :math:`\omega` the angle between a and b.

    Args:
        a: start [D], not zero.
        b: end [D], not zero and not opposite to a.
        n: number of points, at least 2.

    Returns:
        Points [n, D].

    Raises:
        ValueError: when shapes, dtypes or devices differ, an end is not finite, n is below 2, or
            the great circle is not determined.

    Example:
        >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]), 3).norm(dim=1)
        tensor([1.0000, 1.5000, 2.0000])
    """
    t = double(_steps(a, b, n))
    norm_a, u = _polar(a, "a")
    norm_b, towards = _polar(b, "b")

    along = u @ towards
    aside = towards - along * u
    # What of an angle of pi is lost when the ends are rounded to their dtype.
    if along < 0 and aside.norm() <= 8 * torch.finfo(a.dtype).eps:
        raise ValueError("a and b must not be opposite: every great circle would do")
    angle = t * torch.atan2(aside.norm(), along)
    v = torch.nn.functional.normalize(aside, dim=0, eps=torch.finfo(aside.dtype).tiny)

    return (torch.lerp(norm_a, norm_b, t) * (angle.cos() * u + angle.sin() * v)).to(a)


def arc(
    centre: Tensor, plane: tuple[int, int], radius: float, start: float, stop: float, n: int
) -> Tensor:
    r"""Return a circle's arc in a plane of two latent axes: an angular direction.

    .. math:: z(\theta) = c + r \left( \cos\theta\, e_i + \sin\theta\, e_j \right)

    Args:
        centre: the circle's centre c [D].
        plane: the axes (i, j), different.
        radius: the circle's radius, positive.
        start: first angle in radians, from axis i towards axis j.
        stop: last angle in radians, reached.
        n: number of points, at least 2.

    Returns:
        Points [n, D].

    Raises:
        ValueError: when an argument is outside its range.

    Example:
        >>> arc(torch.zeros(3), (0, 2), 1.0, 0.0, torch.pi / 2, 2).round(decimals=4).abs()
        tensor([[1., 0., 0.],
                [0., 0., 1.]])
    """
    _checks.points(centre, "centre", ("D",))
    _check_plane(plane, len(centre))
    _checks.number(radius, "radius", 0, 1e9, open=True)
    _checks.number(start, "start", -1e6, 1e6)
    _checks.number(stop, "stop", -1e6, 1e6)
    _checks.count(n, "n", least=2)

    i, j = plane
    angle = torch.linspace(start, stop, n, dtype=centre.dtype, device=centre.device)
    points = centre.repeat(n, 1)
    points[:, i] += radius * angle.cos()
    points[:, j] += radius * angle.sin()

    return points


def interpolate(corners: Tensor, weights: Tensor, spherical: bool = False) -> Tensor:
    r"""Combine K corners convexly: codes, or the images themselves (alpha blending).

    .. math:: z = \sum_k w_k c_k \qquad \text{or, spherical,} \qquad
        z = \sum_k w_k c_k \Big/ \Big( \sum_k w_k^2 \Big)^{1/2}

    If the corners are independent draws of N(0, I), a plain combination is
    :math:`\mathcal{N}(0, |w|^2 I)`, too short, and a spherical one is N(0, I) again, for any
    number of corners.

    Args:
        corners: [K, ...].
        weights: non-negative, summing to 1 over the last axis [..., K]; see
            :func:`bilinear_weights`.
        spherical: divide by the norm of the weights; for codes, not for images.

    Returns:
        The combinations, with the leading axes of the weights and those of a corner.

    Raises:
        ValueError: when shapes or devices do not fit, a corner is not finite, or weights are not
            convex.

    Example:
        >>> interpolate(torch.eye(2), torch.tensor([0.25, 0.75]))
        tensor([0.2500, 0.7500])
    """
    if not isinstance(corners, Tensor) or not corners.ndim:
        raise ValueError(f"corners must be a float tensor [K, ...], got {corners!r}")
    _checks.points(corners, "corners", ("K", *(f"size {k}" for k in range(1, corners.ndim))))
    _checks.floats(weights, "weights", ("...", len(corners)))
    _checks.same_device(corners=corners, weights=weights)
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
    """Return the weights of four corners over a grid.

    Args:
        rows: rows of the grid, at least 2.
        columns: columns of the grid, at least 2.

    Returns:
        Weights [rows, columns, 4], which sum to 1, of the corners at the top left, the top right,
        the bottom left and the bottom right.

    Raises:
        ValueError: for fewer than two rows or columns.

    Example:
        >>> bilinear_weights(3, 3)[1, 1]
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    _checks.count(rows, "rows", least=2)
    _checks.count(columns, "columns", least=2)

    down = torch.linspace(0, 1, rows)[:, None]
    right = torch.linspace(0, 1, columns)[None, :]

    return torch.stack(
        [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], -1
    )


def quantile_grid(n: int) -> Tensor:
    r"""Return a grid over the plane that is even under N(0, I).

    Its coordinates are the quantiles :math:`(k + \tfrac12)/n`. Rows run as in a plot: the first
    coordinate grows to the right, the second upwards, so that the last row holds the smallest.

    Args:
        n: points along a side, at least 1.

    Returns:
        Points [n, n, 2].

    Raises:
        ValueError: when n is below 1.

    Example:
        >>> quantile_grid(2)[0]
        tensor([[-0.6745,  0.6745],
                [ 0.6745,  0.6745]])
    """
    _checks.count(n, "n")

    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    quantiles = torch.distributions.Normal(0.0, 1.0).icdf(levels)
    up, right = torch.meshgrid(quantiles.flip(0), quantiles, indexing="ij")

    return torch.stack([right, up], -1).to(torch.get_default_dtype())


def resample(polyline: Tensor, n: int) -> Tensor:
    """Return the same path at n points, evenly spaced along its Euclidean length.

    The lowest log density of a model's prior met on a path is
    ``model.prior.log_prob(resample(path, 1000)).min()``.

    Args:
        polyline: vertices [m, D], m at least 2; equal neighbours do no harm.
        n: number of points, at least 2.

    Returns:
        Points [n, D], the ends among them.

    Raises:
        ValueError: for too few points, one that is not finite, or a path of no length.

    Example:
        >>> resample(torch.tensor([[0.0], [1.0], [4.0]]), 3).flatten()
        tensor([0., 2., 4.])
    """
    _checks.points(polyline, "polyline", ("n", "D"))
    _checks.rows(polyline, "polyline", 2)
    _checks.count(n, "n", least=2)
    vertices = double(polyline)
    lengths = vertices.diff(dim=0).norm(dim=1)
    if lengths.sum() == 0:
        raise ValueError("polyline must have a length, all its vertices are equal")

    # A segment without length has no inside: of equal neighbours one stays.
    vertices = torch.cat([vertices[:1], vertices[1:][lengths > 0]])
    reached = torch.cat([lengths.new_zeros(1), lengths[lengths > 0].cumsum(0)])
    wanted = torch.linspace(0, 1, n, dtype=torch.float64, device=reached.device) * reached[-1]
    segment = (torch.searchsorted(reached, wanted) - 1).clamp_min(0)
    t = (wanted - reached[segment]) / (reached[segment + 1] - reached[segment])

    return torch.lerp(vertices[segment], vertices[segment + 1], t[:, None]).to(polyline)


def shortest_tour(distances: Tensor) -> Tour:
    r"""Find the shortest open path through all nodes, exactly.

    Held and Karp's recursion: with L(S, j) the length of the shortest path through the set S
    that ends at j in S,

    .. math:: L(S \cup \{k\}, k) = \min_{j \in S} L(S, j) + d_{jk},

    over all sets of one size at once. A path and its reverse have one length: the one returned
    starts at its lower-numbered end. The triangle inequality is not needed.

    Args:
        distances: symmetric and non-negative [C, C], C at most 16; the diagonal is not used.

    Raises:
        ValueError: for a matrix that is not square, is empty or has more than 16 nodes, or an
            entry that is not finite, is negative, or differs from its mirror image.

    Source:
        A dynamic programming approach to sequencing problems (Held and Karp, 1962).

    Example:
        >>> x = torch.tensor([[0.0], [5.0], [1.0]])
        >>> shortest_tour(torch.cdist(x, x))
        Tour(order=tensor([0, 2, 1]), length=5.0)
    """
    # A sum of 16 of them must still be a number.
    _checks.floats(distances, "distances", ("C", "C"), largest=1e300)
    n = len(distances)
    if n > _MOST_NODES:
        raise ValueError(f"distances must have at most {_MOST_NODES} nodes to be exact, got {n}")
    d = distances.detach().cpu().double().numpy()
    for wrong, fault in (
        (d < 0, "non-negative"),
        (~np.isclose(d, d.T, rtol=1e-5, atol=0.0), "symmetric"),
    ):
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise ValueError(f"distances must be {fault}, got {d[i, j]} from {i} to {j}")

    lengths = _shortest_lengths(d)
    left = 2**n - 1
    order = [int(lengths[left].argmin())]
    length = float(lengths[left, order[0]])
    while len(order) < n:
        left ^= 1 << order[-1]
        order.append(int((lengths[left] + d[:, order[-1]]).argmin()))
    if order[0] > order[-1]:
        order.reverse()

    return Tour(torch.tensor(order, device=distances.device), length)


def _shortest_lengths(d: np.ndarray) -> np.ndarray:
    """L(S, j) of all sets and nodes [2^C, C], infinite where j is not in S.

    A set is a number: bit j says whether node j is in it.
    """
    n = len(d)
    nodes, sets = np.arange(n), np.arange(2**n)
    holds = (sets[:, None] >> nodes & 1).astype(bool)
    size = holds.sum(1)
    lengths = np.full((2**n, n), np.inf)
    lengths[1 << nodes, nodes] = 0.0
    for count in range(1, n):
        some = sets[size == count]
        onwards = (lengths[some][:, :, None] + d).min(1)
        row, new = np.nonzero(~holds[some])
        lengths[some[row] | 1 << nodes[new], new] = onwards[row, new]

    return lengths


def _steps(a: Tensor, b: Tensor, n: int) -> Tensor:
    """Even steps from 0 to 1 as a column [n, 1]; refuses ends that do not fit."""
    _checks.floats(a, "a", ("D",), largest=1e30)
    _checks.floats(b, "b", (len(a),), largest=1e30)
    _checks.alike(a=a, b=b)
    _checks.count(n, "n", least=2)

    return torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None]


def _polar(a: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Norm [] and direction [D] of a in float64; scaled first, so that no square is zero."""
    a = double(a)
    largest = a.abs().max()
    if largest == 0:
        raise ValueError(f"{name} must not be zero: the origin has no direction")
    scaled = a / largest

    return largest * scaled.norm(), scaled / scaled.norm()


def _check_plane(plane: tuple[int, int], n_axes: int) -> None:
    axes = list(plane) if isinstance(plane, Sequence) else []
    whole = [k for k in axes if isinstance(k, int) and not isinstance(k, bool)]
    if len(axes) != 2 or len({*whole}) != 2 or not {*whole} <= {*range(n_axes)}:
        raise ValueError(f"plane must name two different axes of centre [{n_axes}], got {plane!r}")
