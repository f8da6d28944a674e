r"""The heatmaps' own geometry: how far two Gaussians lie apart among Gaussians, in closed form.

On a frame without edges or pixels, the heatmaps :math:`h_\Sigma(u) = \exp(-\tfrac12 u^\top
\Sigma^{-1} u)` are a surface of three dimensions among the functions of the plane, and lengths on
it are those of :math:`L^2`. With :math:`P = \Sigma^{-1}` a step :math:`d\Sigma` has the length

.. math:: \|dh\|^2 &= \frac{\pi \sqrt{|\Sigma|}}{16}
    \left[ (\operatorname{tr} P\,d\Sigma)^2 + 2 \operatorname{tr} \big((P\,d\Sigma)^2\big)
    \right] \\ &= dr^2 + r^2 d\phi^2, \qquad r = \sqrt{2 \pi}\, |\Sigma|^{1/4},

where :math:`d\phi^2 = \operatorname{tr} B^2 / 16` and B is what of :math:`P\,d\Sigma` has no
trace: a cone, over the ellipses of one area. Of two heatmaps only the sector between them matters,
and that can be unrolled into a plane.
"""

__all__ = ["Sector", "chart", "cone_path", "cone_sector", "places"]

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vaebook import _checks
from vaebook._checks import double

_SIZE, _EXTENT = 36, 3.0
_PIXEL = 2 * _EXTENT / (_SIZE - 1)


class Sector(NamedTuple):
    """The flat sector between two heatmaps, each [N], lengths in pixels of a 36 × 36 image.

    They are 35 / 6 times those of :math:`L^2`, as one such pixel is 6/35 wide.

    Attributes:
        start: distance of the first heatmap from the tip, the heatmap of no width.
        end: that of the second.
        angle: between the two, in radians.
        distance: length of the shortest way among heatmaps.
        chord: norm of the two heatmaps' difference; the straight way leaves the heatmaps.
    """

    start: Tensor
    end: Tensor
    angle: Tensor
    distance: Tensor
    chord: Tensor


@torch.no_grad()
def cone_sector(start: Tensor, end: Tensor) -> Sector:
    r"""Return how two heatmaps lie relative to each other on a frame without edges.

    .. math::

        d^2 &= r_1^2 + r_2^2 - 2 r_1 r_2 \cos \min(\phi, \pi), \\
        \phi &= \frac{\lambda}{2 \sqrt 2}, \\
        \|h_1 - h_2\|^2 &= \pi \sqrt{|\Sigma_1|} + \pi \sqrt{|\Sigma_2|} \\
        &\quad - \frac{4 \pi}{\sqrt{|P_1 + P_2|}}

    with :math:`e^{\pm \lambda}` the eigenvalues of :math:`\Sigma_1^{-1} \Sigma_2` once both have
    determinant 1. Where the angle is a half turn or more the shortest way leads over the tip.

    Args:
        start: factors [N, 3]: var_x > 0, var_y > 0, corr in (-1, 1).
        end: factors [N, 3].

    Raises:
        ValueError: for shapes that don't fit, or a factor out of range.

    Example:
        >>> ellipses = torch.tensor([[1.0, 1.0, -0.5], [4.0, 4.0, 0.0]])
        >>> sector = cone_sector(ellipses[:1], ellipses[1:])
        >>> f"{sector.distance.item():.2f} >= {sector.chord.item():.2f}"
        '16.11 >= 14.91'
    """
    first, second = _covariances(start, "start"), _covariances(end, "end")
    _checks.alike(start=start, end=end)
    if len(start) != len(end):
        raise ValueError(f"end must have as many rows as start, {len(start)}, got {len(end)}")
    r1, r2 = _radius(first), _radius(second)
    angle = _turn(first, second)[0].abs() / (2 * math.sqrt(2))
    straight = angle.clamp(max=math.pi)
    squared = (r1 - r2).square() + 4 * r1 * r2 * (straight / 2).sin().square()
    norms = math.pi * (first.det().sqrt() + second.det().sqrt())
    product = 4 * math.pi / (first.inverse() + second.inverse()).det().sqrt()
    chord = (norms - product).clamp_min(0).sqrt()
    parts = (r1 / _PIXEL, r2 / _PIXEL, angle, squared.sqrt() / _PIXEL, chord / _PIXEL)
    return Sector(*(part.to(start) for part in parts))


@torch.no_grad()
def cone_path(start: Tensor, end: Tensor, n_points: int = 32) -> Tensor:
    r"""Return the heatmaps on the shortest way, at equal distances: factors [N, n_points, 3].

    The straight line of the unrolled sector, back on the cone: at radius r and angle
    :math:`\theta` from the first heatmap,

    .. math:: \Sigma = \frac{r^2}{2 \pi}\, \hat\Sigma_1^{1/2}
        \left( \hat\Sigma_1^{-1/2} \hat\Sigma_2 \hat\Sigma_1^{-1/2} \right)^{\theta / \phi}
        \hat\Sigma_1^{1/2}, \qquad |\hat\Sigma| = 1.

    Args:
        start: factors [N, 3], see :func:`cone_sector`.
        end: factors [N, 3].
        n_points: of each way, ends included, at least 2.

    Raises:
        ValueError: as :func:`cone_sector`, or when the angle of a pair is a half turn or more: its
            shortest way leads over the tip, which is no heatmap.

    Source:
        For the way between matrices of one determinant, A Riemannian framework for tensor
        computing (Pennec, Fillard and Ayache, 2006), section 3 |
        https://doi.org/10.1007/s11263-005-3222-z

    Example:
        >>> round_ones = torch.tensor([[1.0, 1.0, 0.0], [4.0, 4.0, 0.0]])
        >>> cone_path(round_ones[:1], round_ones[1:], 3)[0, 1]  # deviations 1, 1.5, 2
        tensor([2.2500, 2.2500, 0.0000])
    """
    _checks.count(n_points, "n_points", least=2)
    sector = cone_sector(start, end)
    wide = sector.angle >= math.pi
    if bool(wide.any()):
        raise ValueError(
            f"start and end must be less than a half turn apart, got {sector.angle[wide][0]:.2f} "
            "radians: the shortest way leads over the tip"
        )
    first, second = _covariances(start, "start"), _covariances(end, "end")
    lengths, vectors, half = _turn(first, second)
    angle = lengths.abs() / (2 * math.sqrt(2))
    r1, r2 = _radius(first)[:, None], _radius(second)[:, None]
    t = torch.linspace(0, 1, n_points, dtype=first.dtype, device=first.device)
    x = (1 - t) * r1 + t * r2 * angle.cos()[:, None]
    y = t * r2 * angle.sin()[:, None]
    share = torch.atan2(y, x) / angle.clamp_min(1e-300)[:, None]
    share = torch.where(angle[:, None] > 0, share, torch.zeros_like(share))
    grown = (torch.stack([-lengths, lengths], 1)[:, None] * share[..., None]).exp()
    turned = (half @ vectors)[:, None]  # [N, 1, 2, 2]
    shape = turned * grown[..., None, :] @ turned.transpose(-1, -2)
    sigma = (x.square() + y.square())[..., None, None] / (2 * math.pi) * shape
    s1, s2 = sigma[..., 0, 0], sigma[..., 1, 1]
    return torch.stack([s1, s2, sigma[..., 0, 1] / (s1 * s2).sqrt()], -1).to(start)


def places(factors: Tensor) -> Tensor:
    r"""Return the coordinates in which :func:`chart` draws heatmaps, any numbers.

    .. math:: (\log s_1, \log s_2, \tanh^{-1} \rho)

    Args:
        factors: [N, 3]: var_x > 0, var_y > 0, corr in (-1, 1).

    Returns:
        Coordinates [N, 3], as precise as the factors; give float64 where steps are short.

    Raises:
        ValueError: for shapes that don't fit, or a factor out of range.

    Example:
        >>> places(torch.tensor([[1.0, 1.0, 0.0]]))
        tensor([[0., 0., 0.]])
    """
    _covariances(factors, "factors")
    kept = double(factors)
    return torch.cat([kept[:, :2].log(), kept[:, 2:].atanh()], 1).to(factors)


def chart(places: Tensor) -> Tensor:
    r"""Draw heatmaps from coordinates that may be any numbers, for geometry on the frame itself.

    The same images as :func:`vaebook.datasets.heatmap_images` draws, as a function that can be
    differentiated, in whatever precision is given.

    Args:
        places: as :func:`places` has them, [N, 3].

    Returns:
        Images [N, 1, 36, 36].

    Raises:
        ValueError: for shapes that don't fit; numbers that aren't finite pass, as a check would
            stand in the way of derivatives.

    Example:
        >>> from vaebook import datasets
        >>> one = torch.ones(1)
        >>> chart(torch.zeros(1, 3)).allclose(datasets.heatmap_images(one, one, 0 * one))
        True
    """
    _checks.floats(places, "places", ("N", 3), finite=False)
    axis = torch.linspace(-_EXTENT, _EXTENT, _SIZE, dtype=places.dtype, device=places.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    s1, s2 = places[:, 0, None, None], places[:, 1, None, None]
    rho = places[:, 2, None, None]
    stretch = rho.cosh()
    # The quadratic form as it stands after both variances are taken out: 1 - tanh² is 1 / cosh².
    u, v = x * (-s1 / 2).exp() * stretch, y * (-s2 / 2).exp() * stretch
    squared = u * u - 2 * rho.tanh() * u * v + v * v
    return (-0.5 * (squared - squared.amin((1, 2), keepdim=True))).exp()[:, None]


def _covariances(factors: Tensor, name: str) -> Tensor:
    """Covariance matrices [N, 2, 2] in float64 of factors [N, 3]."""
    _checks.points(factors, name, ("N", 3))
    s1, s2, rho = double(factors).unbind(1)
    if bool((s1 <= 0).any()) or bool((s2 <= 0).any()) or bool((rho.abs() >= 1).any()):
        raise ValueError(f"{name} must have variances > 0 and correlations in (-1, 1)")
    off = rho * (s1 * s2).sqrt()
    return torch.stack([s1, off, off, s2], 1).unflatten(1, (2, 2))


def _radius(sigma: Tensor) -> Tensor:
    return math.sqrt(2 * math.pi) * sigma.det() ** 0.25


def _turn(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logarithm lambda [N] and the axes [N, 2, 2] of second seen from first, and first's root.

    Both are scaled to determinant 1.
    """
    first = first / first.det().sqrt()[:, None, None]
    second = second / second.det().sqrt()[:, None, None]
    values, vectors = torch.linalg.eigh(first)
    half = vectors * values.sqrt()[:, None] @ vectors.transpose(1, 2)
    inverse = vectors / values.sqrt()[:, None] @ vectors.transpose(1, 2)
    seen, axes = torch.linalg.eigh(inverse @ second @ inverse)
    return seen[:, 1].log(), axes, half
