r"""Paths through latent space: lines, arcs, interpolation, tours, and curves on a cloud's hull.

A path is a polyline [n,D], its vertices in order. Decoders and densities come as functions.
"""

__all__ = [
    "Alignment",
    "Geodesics",
    "Hull",
    "Plane",
    "Tour",
    "align",
    "arc",
    "bilinear_weights",
    "binned_spline",
    "bounding_plane",
    "convex_hull",
    "decoded_length",
    "geodesics",
    "interpolate",
    "line",
    "quantile_grid",
    "resample",
    "shortest_tour",
    "slerp",
]

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import ConvexHull, KDTree
from torch import Tensor

# Held-Karp keeps 2^C C numbers: 8 MB for 16 nodes, and twice as much for each node more.
_MOST_NODES = 16

# Singular values below this part of the largest count as zero: what float32 codes can't tell.
_FLAT = 1e-6


class Alignment(NamedTuple):
    r"""A cloud's own axes: a rotation about its centre, with a reflection where that fits better.

    .. math:: a = R^\top (z - c), \qquad z = R\,a + c
    """

    centre: Tensor
    rotation: Tensor

    def forward(self, codes: Tensor) -> Tensor:
        """Return codes [...,D] in the new axes."""
        return (codes - self.centre) @ self.rotation

    def back(self, points: Tensor) -> Tensor:
        """Return the codes [...,D] of points in the new axes."""
        return points @ self.rotation.T + self.centre


class Hull(NamedTuple):
    """A convex hull: indices of its vertices [V], facets' outward unit normals [F,D], offsets [F].

    Inside, ``points @ normals.T <= offsets``.
    """

    vertices: Tensor
    normals: Tensor
    offsets: Tensor

    def depth(self, points: Tensor) -> Tensor:
        """Return how far points [M,D] lie below the surface, [M]; outside it is negative.

        Outside, its size is the distance to the farthest facet's plane, at most that to the hull.
        """
        return (self.offsets - points @ self.normals.T).amin(-1)


class Plane(NamedTuple):
    """A half-space that holds a cloud: ``points @ normal <= offset``, with a unit normal [D]."""

    normal: Tensor
    offset: Tensor

    def gap(self, points: Tensor) -> Tensor:
        """Return the distance of points [M,D] from the plane, [M], positive inside."""
        return self.offset - points @ self.normal


class Tour(NamedTuple):
    """A path through all nodes: their order [C] and its length."""

    order: Tensor
    length: float


class Geodesics(NamedTuple):
    """Shortest paths between terminals: lengths [C,C], polylines[i][j] from i to j [n,D]."""

    lengths: Tensor
    polylines: list[list[Tensor]]


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


def decoded_length(polyline: Tensor, decode: Callable[[Tensor], Tensor]) -> float:
    r"""Length of a path in the decoder's pull-back metric, :math:`\sum_t \|g(z_{t+1}) - g(z_t)\|`.

    It grows towards :math:`\int \|J_g \dot z\| dt` as the polyline is refined; see
    :func:`resample`.

    Args:
        polyline: Vertices [n,D], n at least 2.
        decode: Codes [n,D] to images [n,*].

    Raises:
        ValueError: Too few points, or decode returns another number of images.

    Source:
        Latent space oddity (Arvanitidis et al., 2018).
    """
    _check_polyline(polyline)
    images = decode(polyline)
    if len(images) != len(polyline):
        raise ValueError(
            f"decode must return an image a point, {len(polyline)}, got {len(images)}"
        )

    return images.flatten(1).double().diff(dim=0).norm(dim=1).sum().item()


def align(codes: Tensor, factors: Tensor) -> Alignment:
    r"""Turn the latent axes so that each goes along with one factor, as far as a rotation can.

    With codes Z and factors F, both centred, F standardised, orthogonal Procrustes maximises the
    sum of the covariances of axis j with factor j,

    .. math:: R = \arg\max_{R^\top R = I} \operatorname{tr}(R^\top Z^\top F) = UV^\top, \qquad
        Z^\top F = USV^\top,

    over rotations, permutations and signs at once. The prior N(0, I) looks the same in all axes,
    so that nothing but such a choice gives an axis a name.

    Args:
        codes: Codes [N,D].
        factors: Factors [N,D], as many as there are axes, in any units.

    Raises:
        ValueError: Shapes differ, N is at most D, a factor is constant, or the codes go along with
            the factors in fewer than D directions, so that the rotation is not determined.

    Source:
        A generalized solution of the orthogonal Procrustes problem (Schönemann, 1966).
    """
    if codes.ndim != 2 or codes.shape != factors.shape:
        raise ValueError(
            "codes and factors must both be [N,D], "
            f"got {list(codes.shape)} and {list(factors.shape)}"
        )
    _check_cloud(codes, "codes", codes.shape[1] + 1)
    _check_cloud(factors, "factors", codes.shape[1] + 1)
    spread = factors.double().std(0)
    if not (spread > 0).all():
        raise ValueError(f"factors must vary, number {int(spread.argmin())} is constant")

    centre = codes.double().mean(0)
    standard = (factors.double() - factors.double().mean(0)) / spread
    u, s, vh = torch.linalg.svd((codes.double() - centre).T @ standard)
    if s[-1] <= _FLAT * s[0]:
        raise ValueError(
            "the rotation is not determined: codes and factors vary together in only "
            f"{int((s > _FLAT * s[0]).sum())} of {len(s)} directions"
        )

    return Alignment(centre.to(codes.dtype), (u @ vh).to(codes.dtype))


def convex_hull(points: Tensor) -> Hull:
    """The convex hull of a cloud.

    Args:
        points: [N,D], D at least 2 and N above D.

    Raises:
        ValueError: Too few points, or all of them in one plane (for D = 2, on one line).

    Source:
        The quickhull algorithm for convex hulls (Barber, Dobkin and Huhdanpaa, 1996), by scipy.
    """
    _check_cloud(points, "points", points.shape[-1] + 1)
    if points.shape[1] < 2:
        raise ValueError(f"points must have at least 2 dimensions, got {list(points.shape)}")
    _check_spread(points, "points")

    hull = ConvexHull(points.detach().cpu().double().numpy())
    normals, offsets = hull.equations[:, :-1], -hull.equations[:, -1]

    return Hull(
        torch.from_numpy(hull.vertices.astype(np.int64)).to(points.device),
        torch.from_numpy(normals).to(points),
        torch.from_numpy(offsets).to(points),
    )


def bounding_plane(points: Tensor, axis: int, along: Sequence[int], above: bool = True) -> Plane:
    r"""The plane that lies closest on a cloud from above, or from below, in a projection.

    In the projection on the axes `along` and `axis`, with coordinates x and y,

    .. math:: \min_{a, b} \sum_i \left( a^\top x_i + b - y_i \right) \quad \text{subject to} \quad
        a^\top x_i + b \ge y_i \text{ for all } i,

    a linear programme; from below the same for :math:`-y`. It touches the cloud in a facet of its
    hull, the one above its mean.

    Args:
        points: [N,D].
        axis: The axis that points from the cloud to the plane.
        along: The other axes of the projection; along the rest the plane is level.
        above: False for the plane from below.

    Raises:
        ValueError: Axes that are not axes or not different, fewer points than a plane needs, or
            points that don't spread over the axes `along`: the slope is not determined.
    """
    _check_cloud(points, "points", len(along) + 1)
    axes = [axis, *along]
    if not along or len({*axes}) < len(axes) or not {*axes} <= {*range(points.shape[1])}:
        raise ValueError(
            f"axis and along must name different axes of points {list(points.shape)}, "
            f"got {axis} and {list(along)}"
        )
    _check_spread(points[:, list(along)], f"points along {list(along)}")

    cloud = points.detach().cpu().double().numpy()
    sign = 1.0 if above else -1.0
    x, y = cloud[:, list(along)], sign * cloud[:, axis]
    sides = np.column_stack([x, np.ones(len(x))])
    solved = linprog(sides.mean(0), A_ub=-sides, b_ub=-y, bounds=(None, None))
    if not solved.success:
        raise ValueError(f"points have no bounding plane that could be found: {solved.message}")
    # To the touching point exactly, beyond the tolerance of the solver.
    slope = solved.x[:-1]
    height = (y - x @ slope).max()

    normal = np.zeros(points.shape[1])
    normal[axis], normal[list(along)] = sign, -slope
    length = np.linalg.norm(normal)

    return Plane(
        torch.from_numpy(normal / length).to(points),
        torch.tensor(height / length).to(points),
    )


def binned_spline(points: Tensor, axis: int, n_bins: int, n: int) -> Tensor:
    r"""A smooth curve through the middle of a strip of points, as a function of one coordinate.

    The axis is cut into bins of equal width over the range of the points; the curve is the cubic
    spline through the bins' mean points, natural at its ends, and runs from the first mean to the
    last. Points that lie on a curve give a curve within :math:`O(h^2)` of it for bins of width h.

    Args:
        points: [N,D], the strip: already filtered out of the cloud.
        axis: The axis along which the strip runs; each coordinate is a function of this one.
        n_bins: Bins along the axis, at least 3.
        n: Number of points returned, at least 2, evenly spaced along the axis.

    Returns:
        Points [n,D].

    Raises:
        ValueError: Fewer points than bins, a bin without a point, or an argument out of range.
    """
    if n_bins < 3 or n < 2:
        raise ValueError(f"n_bins must be at least 3 and n at least 2, got {n_bins} and {n}")
    _check_cloud(points, "points", n_bins)
    if not 0 <= axis < points.shape[1]:
        raise ValueError(f"axis must lie in [0, {points.shape[1]}), got {axis}")
    cloud = points.detach().cpu().double().numpy()
    low, high = cloud[:, axis].min(), cloud[:, axis].max()
    if low == high:
        raise ValueError(f"points must spread along axis {axis}, all lie at {low:.3g}")

    number = ((cloud[:, axis] - low) / (high - low) * n_bins).astype(int).clip(0, n_bins - 1)
    counts = np.bincount(number, minlength=n_bins)
    if not counts.all():
        raise ValueError(
            f"every bin must hold a point, {np.sum(counts == 0)} of {n_bins} along axis {axis} "
            "are empty: fewer bins, or points without a gap"
        )
    means = np.stack([np.bincount(number, c, n_bins) / counts for c in cloud.T], 1)
    spline = CubicSpline(means[:, axis], means, bc_type="natural")
    steps = np.linspace(means[0, axis], means[-1, axis], n)

    return torch.from_numpy(spline(steps)).to(points)


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


@torch.no_grad()
def geodesics(
    codes: Tensor,
    terminals: Tensor,
    log_density: Callable[[Tensor], Tensor],
    exponent: float | None = None,
    n_neighbors: int = 10,
    n_points: int = 24,
    n_steps: int = 60,
) -> Geodesics:
    r"""Paths between terminals that prefer dense regions, and their lengths.

    The length of a path :math:`\gamma` is

    .. math:: \int_\gamma f(z) \|dz\|, \qquad
        f(z) = \left( \frac{q(z)}{q_{\max}} \right)^{-\alpha},

    Euclidean where the density is that of the densest node and longer elsewhere. Each path starts
    twice: as the shortest way in the graph that joins each node (code or terminal) to its nearest
    neighbours, which finds the way round a hole, and as the straight line, since codes of many
    dimensions lie on shells and a graph of them misses the denser inside. Both are relaxed to a
    least energy :math:`\sum_t f^2 \|\Delta z_t\|^2` and the shortest of all four is kept: a local
    minimum, never longer than the line.

    Why not the decoder's pull-back metric: nothing keeps a deterministic decoder from being flat
    where it was never trained, and then its geodesics cross the holes instead of avoiding them.

    Args:
        codes: Nodes of the graph [P,D]; some thousands will do.
        terminals: The nodes to connect [C,D].
        log_density: Points [M,D] to log-densities [M], differentiable. Where the encodings'
            Gaussians hardly overlap, their mixture is a spike at each code and says nothing of
            what lies between: take the Gaussians of the classes.
        exponent: :math:`\alpha \ge 0`; 0 is Euclidean. By default 1/D: a step then costs its
            length times the typical distance of neighbours there, in any dimension.
        n_neighbors: Neighbours of each node.
        n_points: Vertices of a path while it is relaxed, at least 3.
        n_steps: Iterations of the relaxation; 0 leaves the graph's ways and the lines.

    Raises:
        ValueError: Shapes do not fit, an argument is outside its range, a density is not
            finite, or terminals lie in parts of the graph that are not connected.

    Source:
        Semi-supervised learning with density based distances (Bijral, Ratliff and Srebro, 2011);
        for the fault of the deterministic metric, Latent space oddity (Arvanitidis et al., 2018).
    """
    if codes.ndim != 2 or terminals.ndim != 2 or codes.shape[1] != terminals.shape[1]:
        raise ValueError(
            "codes must be [P,D] and terminals [C,D], "
            f"got {list(codes.shape)} and {list(terminals.shape)}"
        )
    nodes = torch.cat([terminals, codes.to(terminals)])
    if not nodes.isfinite().all():
        raise ValueError("codes and terminals must be finite")
    if not 1 <= n_neighbors < len(nodes):
        raise ValueError(f"n_neighbors must lie between 1 and {len(nodes) - 1}, got {n_neighbors}")
    if n_points < 3 or n_steps < 0:
        raise ValueError(
            f"n_points must be at least 3 and n_steps at least 0, got {n_points} and {n_steps}"
        )
    alpha = 1 / nodes.shape[1] if exponent is None else exponent
    if not 0 <= alpha < math.inf:
        raise ValueError(f"exponent must be finite and at least 0, got {exponent}")

    heights = log_density(nodes)
    if not heights.isfinite().all():
        raise ValueError("log_density must be finite at all codes and terminals")
    highest = heights.max().item()

    def log_cost(z: Tensor) -> Tensor:
        """log f at points [...,D]."""
        height = log_density(z.flatten(0, -2)).double().reshape(z.shape[:-1])
        return alpha * (highest - height)

    c = len(terminals)
    lengths = torch.zeros(c, c, dtype=torch.float64, device=nodes.device)
    polylines = [[nodes[[i]] for _ in range(c)] for i in range(c)]
    for (i, j), way in _graph_ways(nodes, c, log_cost, n_neighbors).items():
        starts = [way, line(nodes[i], nodes[j], n_points)]
        if n_steps and not torch.equal(nodes[i], nodes[j]):
            starts += [_relax(resample(start, n_points), log_cost, n_steps) for start in starts]
        measured = torch.stack([_length(start, log_cost) for start in starts]).nan_to_num(math.inf)
        best = int(measured.argmin())
        lengths[i, j] = lengths[j, i] = measured[best]
        polylines[i][j], polylines[j][i] = starts[best], starts[best].flip(0)

    return Geodesics(lengths.to(terminals), polylines)


def _graph_ways(
    nodes: Tensor, c: int, log_cost: Callable[[Tensor], Tensor], n_neighbors: int
) -> dict[tuple[int, int], Tensor]:
    """The cheapest way in the graph of neighbours between each two of the first c nodes."""
    places = nodes.cpu().double().numpy()
    _, neighbours = KDTree(places).query(places, n_neighbors + 1)
    pairs = np.stack([np.arange(len(nodes)).repeat(n_neighbors + 1), neighbours.ravel()])
    i, j = np.unique(np.sort(pairs[:, pairs[0] != pairs[1]], axis=0), axis=1)
    edges = torch.stack([nodes[i], nodes[j]], 1)
    weights = _length(edges, log_cost).cpu().numpy()

    graph = coo_array((weights, (i, j)), shape=(len(nodes), len(nodes)))
    lengths, before = dijkstra(graph, directed=False, indices=range(c), return_predecessors=True)
    apart = np.argwhere(~np.isfinite(lengths[:, :c]))
    if len(apart):
        raise ValueError(
            f"terminals {apart[0][0]} and {apart[0][1]} are not connected with n_neighbors "
            f"{n_neighbors}: take more, or a log_density that is finite between them"
        )

    return {(a, b): nodes[_trace(before[a], a, b)] for a, b in combinations(range(c), 2)}


def _length(path: Tensor, log_cost: Callable[[Tensor], Tensor]) -> Tensor:
    """Length of paths [...,n,D] with the given cost, three midpoints a segment [...]."""
    start, end = path[..., :-1, :], path[..., 1:, :]
    mean = sum(log_cost(torch.lerp(start, end, t)).exp() for t in (1 / 6, 1 / 2, 5 / 6)) / 3

    return (mean * (end - start).double().norm(dim=-1)).sum(-1)


def _relax(path: Tensor, log_cost: Callable[[Tensor], Tensor], n_steps: int) -> Tensor:
    """The path [n,D] moved, its ends held, to a least energy."""
    inner = path[1:-1].clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [inner], max_iter=n_steps, tolerance_change=1e-6, line_search_fn="strong_wolfe"
    )

    # Its logarithm, since the energy of a way through empty space is beyond any number.
    def log_energy() -> Tensor:
        optimizer.zero_grad()
        moved = torch.cat([path[:1], inner, path[-1:]])
        squared = moved.diff(dim=0).double().square().sum(1).clamp_min(1e-300)
        middle = torch.lerp(moved[:-1], moved[1:], 0.5)
        loss = (2 * log_cost(middle) + squared.log()).logsumexp(0)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(log_energy)

    return torch.cat([path[:1], inner.detach(), path[-1:]])


def _trace(before: np.ndarray, start: int, end: int) -> list[int]:
    """The nodes from start to end, from each node's predecessor on the way from start."""
    path = [end]
    while path[-1] != start:
        path.append(int(before[path[-1]]))

    return path[::-1]


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


def _check_cloud(points: Tensor, name: str, least: int) -> None:
    if points.ndim != 2 or len(points) < least:
        raise ValueError(
            f"{name} must be [N,D] with at least {least} points, got {list(points.shape)}"
        )
    if not points.isfinite().all():
        raise ValueError(f"{name} must be finite")


def _check_spread(points: Tensor, name: str) -> None:
    """Refuse points in one plane: a hull without volume, a slope without a base."""
    cloud = points.detach().double()
    widths = torch.linalg.svdvals(cloud - cloud.mean(0))
    full = int((widths > _FLAT * widths[0]).sum())
    if full < points.shape[1]:
        raise ValueError(
            f"{name} must spread over {points.shape[1]} dimensions, got coplanar points that "
            f"spread over {full}"
        )
