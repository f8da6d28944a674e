"""A cloud of codes as a body: its own axes, its hull, planes and curves that bound it."""

__all__ = ["Alignment", "Hull", "Plane", "align", "binned_spline", "bounding_plane", "convex_hull"]

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.optimize import linprog
from scipy.spatial import ConvexHull
from torch import Tensor


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


# Singular values below this part of the largest count as zero: what float32 codes can't tell.
_FLAT = 1e-6
