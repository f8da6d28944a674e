"""A cloud of codes as a body: its own axes, its hull, planes that bound it, curves through it.

Sums and solvers run in float64; results come back on the device and in the dtype of the points.
"""

__all__ = [
    "Alignment",
    "Cloud",
    "Hull",
    "Plane",
    "align",
    "binned_spline",
    "bounding_plane",
    "convex_hull",
    "whiten",
]

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaebook import _checks
from vaebook._checks import double

# Singular values below this fraction of the largest count as zero: float32 can't tell them.
_FLAT = 1e-6


class Alignment(NamedTuple):
    r"""A cloud's own axes: a rotation about its centre, with a reflection where that fits better.

    .. math:: a = R^\top (z - c), \qquad z = R\,a + c
    """

    centre: Tensor
    rotation: Tensor

    def forward(self, codes: Tensor) -> Tensor:
        """Return codes [..., D] in the new axes."""
        _checks.points(codes, "codes", ("...", len(self.centre)))
        _checks.alike(codes=codes, centre=self.centre)
        return (codes - self.centre) @ self.rotation

    def back(self, points: Tensor) -> Tensor:
        """Return the codes [..., D] of points in the new axes."""
        _checks.points(points, "points", ("...", len(self.centre)))
        _checks.alike(points=points, centre=self.centre)
        return points @ self.rotation.T + self.centre


class Hull(NamedTuple):
    """A convex hull: indices of its vertices [V], its facets' normals [F, D] and offsets [F].

    Normals point outwards and are of length 1: inside, ``points @ normals.T <= offsets``.
    """

    vertices: Tensor
    normals: Tensor
    offsets: Tensor

    def depth(self, points: Tensor) -> Tensor:
        """Return how far points [M, D] lie below the surface, [M]; outside it is negative.

        Outside, its size is the distance to the farthest facet's plane, at most that to the hull.
        """
        _checks.points(points, "points", ("M", self.normals.shape[1]))
        _checks.alike(points=points, normals=self.normals)
        return (self.offsets - points @ self.normals.T).amin(-1)


class Plane(NamedTuple):
    """A half-space that holds a cloud: ``points @ normal <= offset``, with a unit normal [D]."""

    normal: Tensor
    offset: Tensor

    def gap(self, points: Tensor) -> Tensor:
        """Return the distance of points [M, D] from the plane, [M], positive inside."""
        _checks.points(points, "points", ("M", len(self.normal)))
        _checks.alike(points=points, normal=self.normal)
        return self.offset - points @ self.normal


class Cloud(NamedTuple):
    r"""Codes in units in which their covariance is I, so that models can be compared.

    .. math:: x = L^{-1} (z - m), \qquad z = m + L x, \qquad LL^\top = \operatorname{Cov}(z)

    Points x are in float64, and on the CPU where the codes' device has none.

    Attributes:
        mean: m, [D].
        root: L, lower triangular, [D, D].
        points: those of the codes, [N, D].
        known: the same, and those of the other codes, [N + M, D].
        hull: of all points but the farthest 1 %.
    """

    mean: Tensor
    root: Tensor
    points: Tensor
    known: Tensor
    hull: Hull

    def forward(self, codes: Tensor) -> Tensor:
        """Return the points of codes [M, D]."""
        _checks.points(codes, "codes", ("M", len(self.mean)))
        _checks.alike(codes=codes, mean=self.mean)
        return _white(codes, self.mean, self.root)

    def back(self, points: Tensor) -> Tensor:
        """Return the codes of points [M, D]."""
        _checks.points(points, "points", ("M", len(self.mean)))
        return self.mean + points.to(self.mean) @ self.root.T

    def distance(self, points: Tensor) -> Tensor:
        """Return how far points [M, D] are from the nearest known one, [M]."""
        from scipy.spatial import KDTree

        _checks.points(points, "points", ("M", len(self.mean)))
        near = KDTree(_numpy(self.known)).query(_numpy(points))[0]
        return torch.from_numpy(near).to(self.points.device)

    def spacing(self) -> Tensor:
        """Return how far each code's point is from the next one, [N]."""
        from scipy.spatial import KDTree

        cloud = _numpy(self.points)
        near = KDTree(cloud).query(cloud, k=2)[0][:, 1]
        return torch.from_numpy(near).to(self.points.device)


def align(codes: Tensor, factors: Tensor) -> Alignment:
    r"""Turn the latent axes so that each goes along with one factor, as far as a rotation can.

    With codes Z and factors F, both centred, F standardised, orthogonal Procrustes maximises the
    sum of the covariances of axis j with factor j,

    .. math:: R = \arg\max_{R^\top R = I} \operatorname{tr}(R^\top Z^\top F) = UV^\top, \qquad
        Z^\top F = USV^\top,

    over rotations, permutations and signs at once. The prior N(0, I) looks the same in all axes,
    so that nothing but such a choice gives an axis a name.

    Args:
        codes: codes [N, D].
        factors: factors [N, D], as many as there are axes, in any units.

    Raises:
        ValueError: when shapes differ, N is at most D, a factor is constant, or the codes go along
            with the factors in fewer than D directions, so that the rotation is not determined.

    Source:
        A generalized solution of the orthogonal Procrustes problem (Schönemann, 1966).

    Example:
        >>> factors = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> align(factors.flip(1), factors).rotation.round().abs()
        tensor([[0., 1.],
                [1., 0.]])
    """
    _checks.points(codes, "codes", ("N", "D"))
    _checks.floats(factors, "factors", tuple(codes.shape), largest=1e30)
    _checks.same_device(codes=codes, factors=factors)
    d = codes.shape[1]
    _checks.rows(codes, "codes", d + 1)
    z, f = double(codes), double(factors)
    spread = f.std(0)
    if not (spread > 0).all():
        raise ValueError(f"factors must vary, number {int(spread.argmin())} is constant")

    centre = z.mean(0)
    u, s, vh = torch.linalg.svd((z - centre).T @ ((f - f.mean(0)) / spread))
    if s[-1] <= _FLAT * s[0]:
        raise ValueError(
            "codes and factors vary together in only "
            f"{int((s > _FLAT * s[0]).sum())} of {d} directions: the rotation is not determined"
        )

    return Alignment(centre.to(codes), (u @ vh).to(codes))


def whiten(codes: Tensor, others: Tensor) -> Cloud:
    """Bring codes to mean 0 and covariance I.

    Args:
        codes: [N, D], D at least 2.
        others: further codes that a place may be near to, [M, D].

    Raises:
        ValueError: for too few codes, or all of them but the farthest 1 % in one plane.

    Example:
        >>> wide = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) * 5 + 1
        >>> cloud = whiten(wide, others=torch.tensor([[40.0, 1.0]]))
        >>> cloud.points.T.cov().round(decimals=4).abs()
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
        >>> cloud.distance(cloud.forward(torch.tensor([[45.0, 1.0]]))).round(decimals=1)
        tensor([1.], dtype=torch.float64)
    """
    _checks.points(codes, "codes", ("N", "D"))
    if codes.shape[1] < 2:
        raise ValueError(f"codes must have at least 2 dimensions, got {list(codes.shape)}")
    _checks.rows(codes, "codes", codes.shape[1] + 2)  # one is taken off before the hull
    _check_spread(codes, "codes")
    _checks.points(others, "others", ("M", codes.shape[1]))
    _checks.alike(codes=codes, others=others)

    mean, root = codes.mean(0), torch.linalg.cholesky(codes.T.cov())
    points = _white(codes, mean, root)
    size = points.norm(dim=1)
    middle = points[size <= size.quantile(0.99)]
    _check_spread(middle, "codes without the farthest hundredth")
    known = torch.cat([points, _white(others, mean, root)])

    return Cloud(mean, root, points, known, convex_hull(middle))


def convex_hull(points: Tensor) -> Hull:
    """Find the convex hull of a cloud.

    Args:
        points: [N, D], D at least 2 and N above D.

    Raises:
        ValueError: for too few points, or all of them in one plane (for D = 2, on one line).

    Source:
        The quickhull algorithm for convex hulls (Barber, Dobkin and Huhdanpaa, 1996), by SciPy.

    Example:
        >>> square = torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0], [1.0, 1.5]])
        >>> convex_hull(square).depth(square).abs()
        tensor([0.0000, 0.0000, 0.0000, 0.0000, 0.5000])
    """
    from scipy.spatial import ConvexHull

    _checks.points(points, "points", ("N", "D"))
    if points.shape[1] < 2:
        raise ValueError(f"points must have at least 2 dimensions, got {list(points.shape)}")
    _checks.rows(points, "points", points.shape[1] + 1)
    _check_spread(points, "points")

    hull = ConvexHull(_numpy(points))
    normals, offsets = hull.equations[:, :-1], -hull.equations[:, -1]

    return Hull(
        torch.from_numpy(hull.vertices.astype(np.int64)).to(points.device),
        torch.from_numpy(normals).to(points),
        torch.from_numpy(offsets).to(points),
    )


def bounding_plane(points: Tensor, axis: int, along: Sequence[int], above: bool = True) -> Plane:
    r"""Find the plane that lies closest on a cloud from above, or from below, in a projection.

    In the projection on the axes `along` and `axis`, with coordinates x and y,

    .. math:: \min_{a, b} \sum_i \left( a^\top x_i + b - y_i \right) \quad \text{subject to} \quad
        a^\top x_i + b \ge y_i \text{ for all } i,

    a linear programme; from below the same for :math:`-y`. It touches the cloud in a facet of its
    hull, the one above its mean.

    Args:
        points: [N, D].
        axis: the axis that points from the cloud to the plane.
        along: the other axes of the projection; along the rest the plane is level.
        above: False for the plane from below.

    Raises:
        ValueError: for axes that are not axes or not different, fewer points than a plane needs,
            or points that don't spread over the axes `along`: the slope is not determined.

    Example:
        >>> roof = torch.tensor([[0.0, 1.0], [2.0, 3.0], [1.0, 0.0], [1.0, -2.0]])
        >>> bounding_plane(roof, 1, (0,)).gap(roof).round(decimals=4).abs()
        tensor([0.0000, 0.0000, 1.4142, 2.8284])
    """
    from scipy.optimize import linprog

    _checks.points(points, "points", ("N", "D"))
    if not isinstance(along, Sequence) or not len(along):
        raise ValueError(f"along must be a sequence of one axis or more, got {along!r}")
    along = list(along)
    _check_axis(axis, points, "axis")
    for number in along:
        _check_axis(number, points, "each entry of along")
    if len({axis, *along}) <= len(along):
        raise ValueError(f"axis and along must be different axes, got {axis} and {along}")
    if not isinstance(above, bool):
        raise ValueError(f"above must be True or False, got {above!r}")
    _checks.rows(points, "points", len(along) + 1)
    _check_spread(points[:, along], f"points along {along}")

    cloud = _numpy(points)
    sign = 1.0 if above else -1.0
    x, y = cloud[:, along], sign * cloud[:, axis]
    # Scaled to the cloud, the solver's tolerances mean the same for clouds of any size.
    width, height = np.ptp(x, axis=0), np.ptp(y) or 1.0
    sides = np.column_stack([(x - x.mean(0)) / width, np.ones(len(x))])
    heights = (y - y.mean()) / height
    solved = linprog(sides.mean(0), A_ub=-sides, b_ub=-heights, bounds=(None, None))
    if not solved.success:
        raise ValueError(f"points have no bounding plane that could be found: {solved.message}")
    # To the touching point exactly, beyond the tolerance of the solver.
    slope = solved.x[:-1] * height / width
    offset = (y - x @ slope).max()

    normal = np.zeros(points.shape[1])
    normal[axis], normal[along] = sign, -slope
    length = np.linalg.norm(normal)

    return Plane(
        torch.from_numpy(normal / length).to(points),
        torch.tensor(offset / length).to(points),
    )


def binned_spline(points: Tensor, axis: int, n_bins: int, n: int) -> Tensor:
    r"""Return a smooth curve through the middle of a strip, as a function of one coordinate.

    The axis is cut into bins of equal width over the range of the points; the curve is the
    monotone cubic spline through the bins' mean points, and runs from the first mean to the last.
    Between two means no coordinate leaves the range of these two, so that the curve has no wave
    that the means don't have. Points that lie on a curve give a curve within :math:`O(h^2)` of it
    for bins of width h.

    Args:
        points: [N, D], the strip: already filtered out of the cloud.
        axis: the axis along which the strip runs; each coordinate is a function of this one.
        n_bins: bins along the axis, at least 3.
        n: number of points returned, at least 2, evenly spaced along the axis.

    Returns:
        Points [n, D].

    Raises:
        ValueError: for fewer points than bins, a bin without a point, or an argument out of range.

    Source:
        Monotone Piecewise Cubic Interpolation (Fritsch and Carlson, 1980), by SciPy |
        https://doi.org/10.1137/0717021

    Example:
        >>> x = torch.linspace(0, 1, 30)
        >>> binned_spline(torch.stack([x, 2 * x], 1), axis=0, n_bins=3, n=3)
        tensor([[0.1552, 0.3103],
                [0.5000, 1.0000],
                [0.8448, 1.6897]])
    """
    from scipy.interpolate import PchipInterpolator

    _checks.points(points, "points", ("N", "D"))
    _check_axis(axis, points, "axis")
    _checks.count(n_bins, "n_bins", least=3)
    _checks.count(n, "n", least=2)
    _checks.rows(points, "points", n_bins)
    cloud = _numpy(points)
    low, high = cloud[:, axis].min(), cloud[:, axis].max()
    if high - low < 1e-30:
        raise ValueError(f"points must spread along axis {axis}, all lie at {low:.3g}")

    bins = ((cloud[:, axis] - low) / (high - low) * n_bins).astype(int).clip(0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    if not counts.all():
        raise ValueError(
            f"every bin must hold a point, {np.sum(counts == 0)} of {n_bins} along axis {axis} "
            "are empty: fewer bins, or points without a gap"
        )
    means = np.stack([np.bincount(bins, c, n_bins) / counts for c in cloud.T], 1)
    spline = PchipInterpolator(means[:, axis], means)
    steps = np.linspace(means[0, axis], means[-1, axis], n)

    return torch.from_numpy(spline(steps)).to(points)


def _white(codes: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    return double(torch.linalg.solve_triangular(root, (codes - mean).T, upper=False).T)


def _numpy(points: Tensor) -> np.ndarray:
    return points.detach().cpu().double().numpy()


def _check_axis(axis: int, points: Tensor, name: str) -> None:
    whole = isinstance(axis, int) and not isinstance(axis, bool)
    if not whole or not 0 <= axis < points.shape[1]:
        raise ValueError(
            f"{name} must be an axis of points, 0 to {points.shape[1] - 1}, got {axis!r}"
        )


def _check_spread(points: Tensor, name: str) -> None:
    """Refuse points in one plane: a hull without volume, a slope without a base."""
    cloud = double(points.detach())
    widths = torch.linalg.svdvals(cloud - cloud.mean(0))
    full = int((widths > _FLAT * widths[0]).sum())
    if full < points.shape[1]:
        raise ValueError(
            f"{name} must spread over {points.shape[1]} dimensions, got coplanar points that "
            f"spread over {full}"
        )
