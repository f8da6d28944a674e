"""How far two things agree: distance matrices, latent dimensions, sets of features or images, shapes."""

__all__ = [
    "DimensionMatch",
    "MantelTest",
    "TwoSample",
    "frechet_distance",
    "mantel",
    "match_dimensions",
    "shape_distance",
    "two_sample_test",
]

import math
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor


class MantelTest(NamedTuple):
    """The correlation of two distance matrices and the one-sided p-value of its permutations."""

    correlation: float
    p_value: float


class DimensionMatch(NamedTuple):
    """Run b as run a names it, b[:, permutation] * signs: permutation, signs, correlations [D]."""

    permutation: Tensor
    signs: Tensor
    correlations: Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    r"""Fréchet distance between the Gaussians fitted to two sets of features.

    .. math:: d = \|\mu_a - \mu_b\|^2 + \mathrm{tr} \left( \Sigma_a + \Sigma_b
        - 2 \left( \Sigma_a^{1/2} \Sigma_b \Sigma_a^{1/2} \right)^{1/2} \right),

    the squared 2-Wasserstein distance, as is custom. With :math:`\Sigma = R^\top R` the last trace
    is the nuclear norm of :math:`R_a R_b^\top`: no root of a matrix is taken, and singular
    covariances do no harm. The fit has a bias of order 1/N: compare sets of equal size.

    Args:
        a: Features [N,F], N at least 2.
        b: Features [M,F], M at least 2.

    Raises:
        ValueError: Shapes do not fit, or a row is not finite.

    Source:
        GANs trained by a two time-scale update rule (Heusel et al., 2017), equation 6.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            "a and b must be [N,F] and [M,F] with at least 2 rows each, "
            f"got {list(a.shape)} and {list(b.shape)}"
        )
    for name, x in (("a", a), ("b", b)):
        _check_rows(name, x.isfinite().all(1))

    root_a, root_b = (
        torch.linalg.qr((x - x.mean(0)) / math.sqrt(len(x) - 1), mode="r").R
        for x in (a.double(), b.double())
    )
    shift = a.double().mean(0) - b.double().mean(0)
    overlap = torch.linalg.matrix_norm(root_a @ root_b.T, "nuc")
    spread = root_a.square().sum() + root_b.square().sum()

    return (shift.square().sum() + spread - 2 * overlap).item()


def mantel(
    a: Tensor, b: Tensor, n_permutations: int = 9_999, generator: Generator | None = None
) -> MantelTest:
    r"""Do two distance matrices of the same C objects agree more than chance would have it?

    The statistic is the Pearson correlation of the :math:`C(C-1)/2` distances. Under the null
    hypothesis the objects of ``b`` bear arbitrary names; with r* the correlation after a random
    renaming, :math:`p = (1 + \#\{r^* \ge r\}) / (1 + \mathrm{n\_permutations})`.

    For Spearman's correlation pass ranks: ``scipy.stats.rankdata(d).reshape(d.shape)`` differs
    from the ranks of the distances by a scale and a shift only.

    Args:
        a: Symmetric distances [C,C], C at least 3.
        b: Symmetric distances [C,C].
        n_permutations: Random renamings; p cannot be smaller than 1 / (1 + n_permutations).
        generator: Source of randomness.

    Raises:
        ValueError: A matrix is not square, symmetric and finite, all its distances are equal, or
            the two differ in size.

    Source:
        The detection of disease clustering and a generalized regression approach (Mantel, 1967).
    """
    if a.ndim != 2 or a.shape[0] != a.shape[1] or a.shape != b.shape or len(a) < 3:
        raise ValueError(
            f"a and b must both be [C,C] with C >= 3, got {list(a.shape)} and {list(b.shape)}"
        )
    if n_permutations < 1:
        raise ValueError(f"n_permutations must be at least 1, got {n_permutations}")

    i, j = torch.triu_indices(len(a), len(a), offset=1)
    scores = {}
    for name, d in (("a", a.double()), ("b", b.double())):
        if not d.isfinite().all() or not torch.allclose(d, d.T, rtol=1e-5):
            raise ValueError(f"{name} must be finite and symmetric")
        centred = d - d[i, j].mean()
        norm = centred[i, j].norm()
        if norm <= 1e-12 * d[i, j].norm():
            raise ValueError(f"{name} has equal distances only: no correlation is defined")
        scores[name] = centred / norm

    names = torch.rand(n_permutations, len(a), generator=generator).argsort(1)
    target = scores["a"][i, j]
    observed = (scores["b"][i, j] @ target).item()
    renamed = scores["b"][names[:, i], names[:, j]] @ target
    # Renamings that change nothing must count as ties in spite of rounding.
    at_least = (renamed >= observed - 1e-12).sum().item()

    return MantelTest(observed, (1 + at_least) / (1 + n_permutations))


def match_dimensions(a: Tensor, b: Tensor) -> DimensionMatch:
    r"""Which latent dimension of run b is which of run a, and with which sign.

    An axis has no name of its own: the one-to-one assignment :math:`\pi` is that which maximises
    :math:`\sum_j |\mathrm{corr}(a_j, b_{\pi(j)})|` over codes of the same images. A constant
    dimension correlates with nothing: 0, sign +1.

    Args:
        a: Codes of one run [N,D].
        b: Codes of the same images by another run [N,D].

    Raises:
        ValueError: Shapes differ, fewer than two rows, or a row is not finite.
    """
    if a.ndim != 2 or a.shape != b.shape or len(a) < 2:
        raise ValueError(
            f"a and b must both be [N,D] with N >= 2, got {list(a.shape)} and {list(b.shape)}"
        )
    for name, x in (("a", a), ("b", b)):
        _check_rows(name, x.isfinite().all(1))

    # Less the first row, a constant is zero to the last bit.
    shifted = (x.double() - x[0].double() for x in (a, b))
    unit_a, unit_b = (torch.nn.functional.normalize(x - x.mean(0), dim=0) for x in shifted)
    correlations = unit_a.T @ unit_b
    rows, columns = linear_sum_assignment(correlations.abs().cpu().numpy(), maximize=True)
    matched = correlations[rows, columns].to(a.dtype)
    signs = torch.where(matched < 0, -1.0, 1.0).to(matched)

    return DimensionMatch(torch.as_tensor(columns, device=a.device), signs, matched)


class TwoSample(NamedTuple):
    """A two-sample test: the squared maximum mean discrepancy and its permutation p-value."""

    mmd2: float
    p_value: float


def shape_distance(images: Tensor, others: Tensor) -> Tensor:
    r"""Return how much two shapes differ, wherever and however they lie, [N], in pixels.

    An image is read as a density over its pixels. With :math:`\lambda_1 \ge \lambda_2` the
    eigenvalues of its covariance, the squared half-axes of its ellipse,

    .. math:: d(x, x') = \left\| \left( \sqrt{\lambda_1} - \sqrt{\lambda'_1},\
        \sqrt{\lambda_2} - \sqrt{\lambda'_2} \right) \right\|.

    It does not change when an image is shifted, turned or mirrored, as long as nothing leaves the
    frame, nor when it is made brighter or darker. It is at most the Wasserstein-2 distance of the
    two densities, in whatever position and at whatever angle.

    Source: Gelbrich, On a formula for the L2 Wasserstein metric (1990).

    Args:
        images: non-negative, [N, 1, H, W]; clamp what was decoded.
        others: [N, 1, H, W].

    Raises:
        ValueError: for other shapes, negative or non-finite pixels, or an image that is black.
    """
    if images.ndim != 4 or images.shape[1] != 1 or images.shape != others.shape:
        raise ValueError(
            "images and others must both be [N, 1, H, W], "
            f"got {list(images.shape)} and {list(others.shape)}"
        )
    difference = _half_axes(images, "images") - _half_axes(others, "others")
    return difference.norm(dim=1)


def _half_axes(images: Tensor, name: str) -> Tensor:
    """Return the standard deviations along an image's two axes, [N, 2], in pixels."""
    if not bool((images >= 0).all() and images.isfinite().all()):
        bad = images[~((images >= 0) & images.isfinite())][0].item()
        raise ValueError(f"{name} must be non-negative and finite, got a pixel of {bad}")
    weights = images.flatten(1).double()
    total = weights.sum(1, keepdim=True)
    if not bool((total > 0).all()):
        raise ValueError(f"{name} must each have a pixel above 0, got one that is black")
    weights = weights / total
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in images.shape[2:])
    pixels = torch.cartesian_prod(rows, columns)
    centred = pixels - (weights @ pixels)[:, None]
    covariance = torch.einsum("np,npi,npj->nij", weights, centred, centred)
    return torch.linalg.eigvalsh(covariance).clamp_min(0).sqrt()


@torch.no_grad()
def two_sample_test(
    a: Tensor, b: Tensor, permutations: int = 500, generator: torch.Generator | None = None
) -> TwoSample:
    r"""Test whether two sets were drawn from one distribution, by a kernel.

    .. math:: \widehat{\mathrm{MMD}}{}^2 = \operatorname*{mean}_{i \ne i'} k(a_i, a_{i'})
        + \operatorname*{mean}_{j \ne j'} k(b_j, b_{j'})
        - 2 \operatorname*{mean}_{i, j} k(a_i, b_j)

    with the Gaussian kernel whose width is the median distance of the pooled set. The p-value is
    the share of random divisions of the pooled set, the given one included, that are as far
    apart: it is valid for any sample size if all observations are independent.

    Source: Gretton et al., A kernel two-sample test (2012).

    Args:
        a: [N, ...], N > 1.
        b: [M, ...], of the same shape apart from M > 1.
        permutations: the least attainable p-value is 1 / (1 + permutations).
        generator: source of the permutations.

    Raises:
        ValueError: for shapes that don't fit, values that are not finite, or no permutations.
    """
    if min(a.ndim, b.ndim) < 2 or a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < 2:
        raise ValueError(
            "a and b must be [N, ...] and [M, ...] with N, M > 1 and equal shapes otherwise, "
            f"got {list(a.shape)} and {list(b.shape)}"
        )
    if not bool(a.isfinite().all() and b.isfinite().all()):
        raise ValueError("a and b must be finite")
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    n, m = len(a), len(b)
    # The products of a matrix form of the distance would lose the digits of near neighbours.
    exact = "donot_use_mm_for_euclid_dist"
    pooled = torch.cat([a.flatten(1), b.flatten(1)]).double()
    distances = torch.cdist(pooled, pooled, compute_mode=exact)
    i, j = torch.triu_indices(n + m, n + m, offset=1)
    width = distances[i, j].median().clamp_min(torch.finfo(torch.float64).tiny)
    kernel = torch.exp(-0.5 * (distances / width).square()).fill_diagonal_(0)
    shuffled = torch.rand(permutations, n + m, generator=generator).argsort(dim=1)
    order = torch.cat([torch.arange(n + m)[None], shuffled])
    side = (order < n).double()
    to_a = side @ kernel
    total = kernel.sum()
    in_a = (to_a * side).sum(1)
    across = (to_a * (1 - side)).sum(1)
    in_b = total - in_a - 2 * across
    values = in_a / (n * (n - 1)) + in_b / (m * (m - 1)) - 2 * across / (n * m)
    # Divisions that only rename equal points tie up to rounding.
    as_far = (values[1:] >= values[0] - 1e-12).sum().item()
    return TwoSample(values[0].item(), (1 + as_far) / (1 + permutations))


def _check_rows(name: str, good: Tensor) -> None:
    if not good.all():
        raise ValueError(f"{name} must be finite, not so in rows {_some(~good)}")


def _some(mask: Tensor) -> str:
    """The first positions where the mask holds, and how many there are."""
    rows = mask.nonzero().flatten().tolist()

    return f"{rows[:5]}" + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
