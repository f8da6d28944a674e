r"""Whether images are heatmaps: the nearest true heatmap, and how far heatmaps move."""

__all__ = ["HeatmapFit", "fit_heatmaps", "heatmap_metric"]

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vaebook import _checks
from vaebook._checks import double

_SIZE, _EXTENT = 36, 3.0

# The box in which the nearest heatmap is sought: closed, so that there is one, and wider than the
# grid of the data (variances 0.1 to 4.9, correlations -0.95 to 0.85) by a factor of ten. Beyond
# it a heatmap is a few pixels or all white, and its factors mean nothing any more.
_LEAST_VARIANCE, _LARGEST_VARIANCE, _LARGEST_CORR = 0.01, 50.0, 0.995


class HeatmapFit(NamedTuple):
    """The nearest true heatmap of each image, each [N].

    Attributes:
        var_x: its variance from left to right.
        var_y: its variance from top to bottom.
        corr: its correlation.
        distance: Frobenius distance from the image to it, in pixels.
        relative: the same as a share of the heatmap's own norm.
        sensitivity: smallest singular value of its Jacobian, in pixels per unit of the factors:
            to first order, an image that moves by d moves the factors by d / sensitivity at most.
        at_limit: bool; a factor lies at the end of the range that was searched, and is not to be
            trusted.
    """

    var_x: Tensor
    var_y: Tensor
    corr: Tensor
    distance: Tensor
    relative: Tensor
    sensitivity: Tensor
    at_limit: Tensor

    @property
    def valid(self) -> Tensor:
        """Whether the image lies within 10 % of a true heatmap, bool [N]."""
        return self.relative <= 0.1


@torch.no_grad()
def fit_heatmaps(images: Tensor) -> HeatmapFit:
    r"""Find the true heatmap nearest to each image, by its three factors.

    .. math:: \min_{s_1, s_2, \rho} \|x - h(s_1, s_2, \rho)\|, \quad
        s_1, s_2 \in [0.01, 50],\ |\rho| \le 0.995

    with h as :func:`vaebook.datasets.heatmap_images` draws it. The range is closed and far wider
    than the data's: what is asked is whether an image is a heatmap at all, not whether it is one
    of the data. The method is that of Levenberg and Marquardt, in the logarithms of the variances
    and the hyperbolic arc tangent of the correlation, with exact derivatives, started from each of
    the best four local minima of a coarse table of heatmaps. Nothing proves that the best of four
    is the global minimum. Dense tables, and SciPy from many starts, found none lower in the tests
    for images that are nearer to a heatmap than its norm; farther away the distance was up to 2 %
    too large.

    Args:
        images: [N, 1, 36, 36], of any finite values, decoded or not.

    Raises:
        ValueError: for images of another size, none, or values that are not finite.

    Source:
        An Algorithm for Least-Squares Estimation of Nonlinear Parameters (Marquardt, 1963) |
        https://doi.org/10.1137/0111030

    Example:
        >>> from vaebook import datasets
        >>> one = torch.ones(1)
        >>> fit = fit_heatmaps(datasets.heatmap_images(0.5 * one, 2 * one, 0.3 * one))
        >>> [round(found.item(), 4) for found in fit[:3]]
        [0.5, 2.0, 0.3]
    """
    _checks.points(images, "images", ("N", 1, _SIZE, _SIZE))
    fitter = _Fitter(double(images[:1]).device)
    # Some hundred fits at a time stay in the processor's cache.
    parts = [fitter.fit(double(batch.flatten(1))) for batch in images.split(128)]
    theta, distance = (torch.cat(columns) for columns in zip(*parts, strict=True))
    var_x, var_y, corr = theta[:, 0].exp(), theta[:, 1].exp(), theta[:, 2].tanh()
    metric, norm = fitter.metric(theta)
    sensitivity = torch.linalg.eigvalsh(metric)[:, 0].clamp_min(0).sqrt()
    at_limit = ((theta <= fitter.low) | (theta >= fitter.high)).any(1)
    return HeatmapFit(
        var_x.to(images),
        var_y.to(images),
        corr.to(images),
        distance.to(images),
        (distance / norm).to(images),
        sensitivity.to(images),
        at_limit.to(images.device),
    )


@torch.no_grad()
def heatmap_metric(var_x: Tensor, var_y: Tensor, corr: Tensor) -> Tensor:
    r"""Return how far heatmaps move when their factors do: :math:`J^\top J`, [N, 3, 3].

    J is the Jacobian of the 36 × 36 image in (var_x, var_y, corr). The roots of the diagonal are
    the norms of its columns, in pixels per unit of the factor, the roots of the eigenvalues its
    singular values. Where several pixels share the maximum, as at corr = 0, J has a jump; one
    side is returned.

    Args:
        var_x: in [1e-6, 1e6], [N].
        var_y: in [1e-6, 1e6], [N].
        corr: in (-1, 1), [N].

    Raises:
        ValueError: for shapes that don't fit, or a factor out of range.

    Example:
        >>> one = torch.ones(1)
        >>> heatmap_metric(one, one, 0.5 * one)[0].diagonal()
        tensor([19.3302, 19.3302, 62.5151])
    """
    factors = {"var_x": var_x, "var_y": var_y, "corr": corr}
    for name, column in factors.items():
        _checks.points(column, name, ("N",) if name == "var_x" else tuple(var_x.shape))
    _checks.alike(**factors)
    s1, s2, rho = (double(column) for column in factors.values())
    for name, s in (("var_x", s1), ("var_y", s2)):
        wrong = ~((s >= 1e-6) & (s <= 1e6))
        if bool(wrong.any()):
            raise ValueError(f"{name} must lie in [1e-6, 1e6], got {s[wrong][0].item()}")
    wrong = ~(rho.abs() < 1)
    if bool(wrong.any()):
        raise ValueError(f"corr must lie strictly between -1 and 1, got {rho[wrong][0].item()}")
    theta = torch.stack([s1.log(), s2.log(), rho.atanh()], dim=1)
    fitter = _Fitter(theta.device)
    return torch.cat([fitter.metric(part)[0] for part in theta.split(512)]).to(var_x)


class _Fitter:
    r"""Heatmaps and their derivatives in :math:`\theta = (\log s_1, \log s_2, \tanh^{-1} \rho)`.

    With the precision's coefficients :math:`p = (e^{-\theta_1}\cosh^2\theta_3,
    -e^{-(\theta_1 + \theta_2)/2}\sinh 2\theta_3, e^{-\theta_2}\cosh^2\theta_3)` of
    :math:`B_j = (x_j^2, x_j y_j, y_j^2)`, a pixel is
    :math:`h_j = \exp(-\tfrac12 (B_j - B_*) p)`, where * is the largest pixel, and its derivative
    is :math:`\partial h_j / \partial p = -\tfrac12 h_j (B_j - B_*)`.
    Heatmaps are symmetric about the origin: the upper half of the pixels is all that is needed.
    """

    def __init__(self, device: torch.device) -> None:
        reach = math.atanh(_LARGEST_CORR)
        least, largest = math.log(_LEAST_VARIANCE), math.log(_LARGEST_VARIANCE)
        kind = torch.zeros((), dtype=torch.float64, device=device)
        self.low = kind.new_tensor([least, least, -reach])
        self.high = kind.new_tensor([largest, largest, reach])
        axis = torch.linspace(-_EXTENT, _EXTENT, _SIZE, dtype=torch.float64, device=device)
        y, x = torch.cartesian_prod(axis, axis)[: _SIZE**2 // 2].T
        self.basis = torch.stack([x * x, x * y, y * y], dim=1)
        # Columns whose sums, weighted by h² or by h times the residual, make up J'J and J'r.
        self.upper = torch.triu_indices(3, 3, device=device).unbind()
        i, j = self.upper
        ones = kind.new_ones(len(x), 1)
        products = self.basis[:, i] * self.basis[:, j]
        self.columns = torch.cat([ones, self.basis, products], dim=1)
        # The table of starts, 13 values per factor.
        inner = 0.93 * torch.stack([self.low, self.high])
        steps = torch.linspace(0, 1, 13, dtype=torch.float64, device=device)[:, None]
        variances, _, angles = torch.lerp(inner[0], inner[1], steps).T
        self.starts = torch.cartesian_prod(variances, variances, angles)
        self.table = self.draw(self.precision(self.starts)[0])[0]

    def precision(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return p [N, 3] and its Jacobian in theta [N, 3, 3]."""
        a, b, t = theta.T
        first, second, mixed = (-a).exp(), (-b).exp(), (-0.5 * (a + b)).exp()
        cosh2, sinh, cosh = t.cosh().square(), (2 * t).sinh(), (2 * t).cosh()
        p = torch.stack([first * cosh2, -mixed * sinh, second * cosh2], dim=1)
        zero = torch.zeros_like(a)
        rows = (
            (-p[:, 0], zero, first * sinh),
            (-0.5 * p[:, 1], -0.5 * p[:, 1], -2 * mixed * cosh),
            (zero, -p[:, 2], second * sinh),
        )
        return p, torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)

    def draw(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return the upper half of the heatmaps, [N, P], and B of the largest pixel, [N, 3]."""
        exponents = -0.5 * (p @ self.basis.T)
        largest, where = exponents.max(dim=1)
        return (exponents - largest[:, None]).exp(), self.basis[where]

    def gram(self, h: Tensor, top: Tensor, jacobian: Tensor) -> Tensor:
        """Return J'J in theta, of half the pixels, [N, 3, 3]."""
        sums = h.square() @ self.columns
        i, j = self.upper
        second = h.new_zeros(len(h), 3, 3)
        second[:, i, j] = second[:, j, i] = sums[:, 4:]
        cross = sums[:, 1:4, None] * top[:, None]
        square = sums[:, 0, None, None] * top[:, :, None] * top[:, None]
        return 0.25 * jacobian.mT @ (second - cross - cross.mT + square) @ jacobian

    def slope(self, h: Tensor, top: Tensor, jacobian: Tensor, residual: Tensor) -> Tensor:
        """Return J'r in theta, of half the pixels, [N, 3]."""
        sums = (h * residual) @ self.columns[:, :4]
        in_p = -0.5 * (sums[:, 1:] - sums[:, :1] * top)
        return (jacobian.mT @ in_p[:, :, None])[:, :, 0]

    def metric(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return J'J in the factors, of all pixels, [N, 3, 3], and the heatmaps' norms, [N]."""
        p, jacobian = self.precision(theta)
        h, top = self.draw(p)
        variances = theta[:, :2].exp()
        rates = torch.cat([1 / variances, theta[:, 2:].cosh().square()], dim=1)
        gram = 2 * self.gram(h, top, jacobian * rates[:, None])
        return gram, math.sqrt(2) * h.norm(dim=1)

    def fit(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return theta [N, 3] and the distance [N] of the heatmap nearest to images [N, 2P]."""
        mirrored = images.flip(1)
        half = 0.5 * (images + mirrored)[:, : len(self.basis)]
        # What of an image is not symmetric is as far from every heatmap.
        asymmetric = 0.25 * (images - mirrored).square().sum(1)

        n = len(images)
        near = (self.table.square().sum(1) - 2 * half @ self.table.T).neg().view(n, 1, 13, 13, 13)
        at_top = near == F.max_pool3d(near, 3, stride=1, padding=1)
        candidates = near.masked_fill(~at_top, -math.inf).flatten(1).topk(4, dim=1)
        row, column = candidates.values.isfinite().nonzero(as_tuple=True)
        found, cost = self.descend(half[row], self.starts[candidates.indices[row, column]])

        costs = half.new_full((n, 4), math.inf)
        thetas = half.new_zeros(n, 4, 3)
        costs[row, column], thetas[row, column] = cost, found
        lowest, best = costs.min(dim=1)
        return thetas[torch.arange(n, device=best.device), best], (2 * lowest + asymmetric).sqrt()

    def descend(self, half: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Minimise the squared distance to half images [N, P] from theta, within the box."""
        theta, n = theta.clone(), len(theta)
        p, jacobian = self.precision(theta)
        h, top = self.draw(p)
        residual = h - half
        cost = residual.square().sum(1)
        gram, slope = self.gram(h, top, jacobian), self.slope(h, top, jacobian, residual)
        damping = half.new_full((n,), 1e-2)
        alive = torch.arange(n, device=theta.device)
        for _ in range(100):
            here, a, g = theta[alive], gram[alive], slope[alive]
            # At the end of the range and pushing outwards: that factor stays.
            held = ((here <= self.low) & (g > 0)) | ((here >= self.high) & (g < 0))
            free = ~held
            diagonal = damping[alive, None] * a.diagonal(dim1=1, dim2=2) + 1e-12
            damped = a * (free[:, :, None] & free[:, None])
            damped = damped + torch.diag_embed(diagonal.where(free, torch.ones_like(diagonal)))
            step = -torch.linalg.solve(damped, g * free).clamp(-1.5, 1.5)
            there = (here + step).clamp(self.low, self.high)

            p, jacobian = self.precision(there)
            h, top = self.draw(p)
            residual = h - half[alive]
            new_cost = residual.square().sum(1)
            better = new_cost <= cost[alive]
            gain, moved = cost[alive] - new_cost, (there - here).abs().amax(1)
            kept = alive[better]
            theta[kept], cost[kept] = there[better], new_cost[better]
            h, top, jacobian, residual = h[better], top[better], jacobian[better], residual[better]
            gram[kept] = self.gram(h, top, jacobian)
            slope[kept] = self.slope(h, top, jacobian, residual)

            settled = better & ((moved < 1e-7) | (gain <= 1e-13 * new_cost + 1e-16))
            stuck = ~better & ((damping[alive] > 1e8) | (moved < 1e-9))
            damping[alive] = torch.where(better, damping[alive] / 5, damping[alive] * 6)
            alive = alive[~(settled | stuck)]
            if not len(alive):
                break
        return theta, cost
