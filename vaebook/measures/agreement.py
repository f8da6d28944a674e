r"""How far two things agree: latent spaces, dimensions, distance matrices, sets, shapes.

What is compared lies on one device; sums run in float64.
"""

__all__ = [
    "Comparison",
    "DimensionMatch",
    "MantelTest",
    "TwoSample",
    "compare",
    "frechet_distance",
    "mantel",
    "match_dimensions",
    "shape_distance",
    "two_sample_test",
]

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vaebook import _checks
from vaebook._checks import double
from vaebook.models import Codes

# Pairs of images whose distances are correlated, and entries of a table held at once.
_PAIRS, _TABLE = 100_000, 2**20


class Comparison(NamedTuple):
    r"""How alike two latent spaces of the same images are, each at most 1.

    Attributes:
        distances: Spearman's correlation of the distances between images.
        cka: linear centred kernel alignment.
        procrustes: cosine of the angle between the two shapes.
        neighbors: share of an image's nearest neighbours that it has in both spaces.
    """

    distances: float
    cka: float
    procrustes: float
    neighbors: float


class MantelTest(NamedTuple):
    """The correlation of two distance matrices and the one-sided p-value of its permutations."""

    correlation: float
    p_value: float


class DimensionMatch(NamedTuple):
    """Which dimension of run b is which of run a: permutation, signs, correlations, each [D].

    ``b[:, permutation] * signs`` goes along with a.
    """

    permutation: Tensor
    signs: Tensor
    correlations: Tensor


class TwoSample(NamedTuple):
    """A two-sample test: the squared maximum mean discrepancy and its permutation p-value."""

    mmd2: float
    p_value: float


@torch.no_grad()
def compare(
    a: Codes | Tensor, b: Codes | Tensor, n_neighbors: int = 10, generator: Generator | None = None
) -> Comparison:
    r"""Compare two latent spaces by where they put the same images.

    Row i of both must be the same image: of codes of different images take the common ones first,
    ``compare(a[rows_a], b[rows_b])``. The spaces may differ in their dimension and in their model;
    of a VAE the means are compared. No score changes when a space is moved, turned, mirrored or
    scaled.

    With the codes A and B, centred,

    .. math:: \mathrm{CKA} = \frac{\|A^\top B\|_F^2}{\|A^\top A\|_F \|B^\top B\|_F}, \qquad
        \cos\theta = \frac{\|A^\top B\|_*}{\|A\|_F \|B\|_F},

    where the nuclear norm is what the best rotation attains. CKA is ruled by the directions of
    the largest variance, the angle less so; the correlation of distances sees whether far is far,
    in any unit that grows with distance, the neighbours whether near is near. Of unrelated spaces
    the correlation of distances is 0 and the share of neighbours n_neighbors / (N - 1) on average;
    CKA and the cosine fall to 0 only as N grows beyond the dimensions.

    Args:
        a: codes of N images, or a tensor [N, D].
        b: codes of the same images, or a tensor [N, E].
        n_neighbors: neighbours of an image, fewer than N.
        generator: source of randomness: of more than 447 images, the distances of 100,000 random
            pairs are correlated, which is good to about 0.003.

    Raises:
        ValueError: when the numbers of rows differ, labels of the same row differ, an entry is not
            finite, or one space has all images, or all pairs, at one distance.

    Source:
        Representational similarity analysis (Kriegeskorte et al., 2008), for the distances;
        Similarity of neural network representations revisited (Kornblith et al., 2019), for CKA;
        Generalized shape metrics on neural representations (Williams et al., 2021), for the angle.

    Example:
        >>> z = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
        >>> turned = torch.stack([z[:, 1], -z[:, 0], z[:, 2], torch.zeros(100)], dim=1)
        >>> [round(score, 4) for score in compare(z, 5 * turned)]
        [1.0, 1.0, 1.0, 1.0]
    """
    _checks.count(n_neighbors, "n_neighbors")
    x, y = _positions(a, "a"), _positions(b, "b")
    if len(x) != len(y):
        raise ValueError(
            f"a and b must be codes of the same images row by row, got {len(x)} and {len(y)}: "
            "index them, a[rows_a] and b[rows_b]"
        )
    _checks.same_device(a=x, b=y)
    _check_labels(a, b)
    if n_neighbors >= len(x):
        raise ValueError(f"n_neighbors must be less than the {len(x)} images, got {n_neighbors}")

    i, j = _pairs(len(x), x.device, generator)
    distances = [_ranks((z[i] - z[j]).norm(dim=1), name) for z, name in ((x, "a"), (y, "b"))]
    x, y = x - x.mean(0), y - y.mean(0)
    cross = x.T @ y
    cka = cross.square().sum() / ((x.T @ x).norm() * (y.T @ y).norm())
    cosine = torch.linalg.matrix_norm(cross, "nuc") / (x.norm() * y.norm())

    return Comparison(
        distances=(distances[0] @ distances[1]).item(),
        cka=cka.item(),
        procrustes=cosine.item(),
        neighbors=_common_neighbors(x, y, n_neighbors),
    )


def frechet_distance(a: Tensor, b: Tensor) -> float:
    r"""Return the Fréchet distance between the Gaussians fitted to two sets of features.

    .. math:: d = \|\mu_a - \mu_b\|^2 + \mathrm{tr} \left( \Sigma_a + \Sigma_b
        - 2 \left( \Sigma_a^{1/2} \Sigma_b \Sigma_a^{1/2} \right)^{1/2} \right),

    the squared 2-Wasserstein distance, as is custom. With :math:`\Sigma = R^\top R` the last trace
    is the nuclear norm of :math:`R_a R_b^\top`: no root of a matrix is taken, and singular
    covariances do no harm. The fit has a bias of order 1/N: compare sets of equal size.

    Args:
        a: features [N, F], N at least 2.
        b: features [M, F], M at least 2.

    Raises:
        ValueError: when shapes do not fit, or an entry is not finite.

    Source:
        GANs trained by a two time-scale update rule (Heusel et al., 2017), equation 6.

    Example:
        >>> a = torch.tensor([[0.0], [2.0]])
        >>> round(frechet_distance(a, a + 3), 4)
        9.0
    """
    _check_sets(a, b, ("F",))
    x, y = double(a), double(b)
    root_x, root_y = (
        torch.linalg.qr((z - z.mean(0)) / math.sqrt(len(z) - 1), mode="r").R for z in (x, y)
    )
    shift = (x.mean(0) - y.mean(0)).square().sum()
    spread = root_x.square().sum() + root_y.square().sum()
    distance = shift + spread - 2 * torch.linalg.matrix_norm(root_x @ root_y.T, "nuc")

    # What is left of equal sets is the rounding of the two spreads.
    rounding = 4 * a.shape[1] * torch.finfo(torch.float64).eps * spread
    return distance.item() if distance > rounding else 0.0


def mantel(
    a: Tensor, b: Tensor, n_permutations: int = 9_999, generator: Generator | None = None
) -> MantelTest:
    r"""Test whether two distance matrices of the same C objects agree more than by chance.

    The statistic is the Pearson correlation of the :math:`C(C-1)/2` distances. Under the null
    hypothesis the objects of ``b`` bear arbitrary names; with r* the correlation after a random
    renaming and P renamings

    .. math:: p = \frac{1 + \#\{r^* \ge r\}}{1 + P}.

    For Spearman's correlation pass ranks: ``scipy.stats.rankdata(d).reshape(d.shape)`` differs
    from the ranks of the distances by a scale and a shift only.

    Args:
        a: symmetric distances [C, C], C at least 3, none negative; the diagonal is not used.
        b: symmetric distances [C, C].
        n_permutations: random renamings; p cannot be smaller than 1 / (1 + n_permutations).
        generator: source of randomness.

    Raises:
        ValueError: when a matrix is not square, symmetric, finite and non-negative, all its
            distances are equal, or the two differ in size.

    Source:
        The detection of disease clustering and a generalized regression approach (Mantel, 1967).

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
        >>> distances = torch.cdist(x, x)
        >>> round(mantel(distances, distances**2, n_permutations=9).correlation, 2)
        0.98
    """
    _checks.floats(a, "a", ("C", "C"), largest=1e30)
    _checks.floats(b, "b", tuple(a.shape), largest=1e30)
    _checks.same_device(a=a, b=b)
    _checks.rows(a, "a", 3)
    _checks.count(n_permutations, "n_permutations")

    x, y = _standard_scores(a, "a"), _standard_scores(b, "b")
    i, j = torch.triu_indices(len(x), len(x), offset=1, device=x.device)
    target = x[i, j]
    observed = (y[i, j] @ target).item()
    names = _orders(n_permutations, len(y), a.device, generator).to(y.device)
    some = names.split(max(1, _TABLE // len(i)))
    renamed = torch.cat([y[order[:, i], order[:, j]] @ target for order in some])
    # Renamings that change nothing must count as ties in spite of rounding.
    at_least = (renamed >= observed - 1e-12).sum().item()

    return MantelTest(observed, (1 + at_least) / (1 + n_permutations))


def match_dimensions(a: Tensor, b: Tensor) -> DimensionMatch:
    r"""Find which latent dimension of run b is which of run a, and with which sign.

    An axis has no name of its own: the one-to-one assignment :math:`\pi` is that which maximises
    :math:`\sum_j |\mathrm{corr}(a_j, b_{\pi(j)})|` over codes of the same images. A constant
    dimension correlates with nothing: 0, sign +1.

    Args:
        a: codes of one run [N, D].
        b: codes of the same images by another run [N, D].

    Raises:
        ValueError: when shapes differ, there are fewer than two rows, or an entry is not finite.

    Example:
        >>> a = torch.tensor([[1.0, 0.0], [2.0, 5.0], [3.0, 1.0]])
        >>> match_dimensions(a, -a.flip(1)).permutation
        tensor([1, 0])
    """
    from scipy.optimize import linear_sum_assignment

    _checks.points(a, "a", ("N", "D"))
    _checks.points(b, "b", tuple(a.shape))
    _checks.same_device(a=a, b=b)
    _checks.rows(a, "a", 2)

    # Less the first row, a constant is zero to the last bit.
    shifted = [double(x) - double(x[0]) for x in (a, b)]
    tiny = torch.finfo(torch.float64).tiny
    unit_a, unit_b = (
        torch.nn.functional.normalize(x - x.mean(0), dim=0, eps=tiny) for x in shifted
    )
    correlations = (unit_a.T @ unit_b).detach()
    rows, columns = linear_sum_assignment(correlations.abs().cpu().numpy(), maximize=True)
    matched = correlations[rows, columns].to(a)
    signs = torch.where(matched < 0, -1.0, 1.0).to(a)

    return DimensionMatch(torch.as_tensor(columns, device=a.device), signs, matched)


def shape_distance(images: Tensor, others: Tensor) -> Tensor:
    r"""Return how much two shapes differ, wherever and however they lie, [N], in pixels.

    An image is read as a density over its pixels. With :math:`\lambda_1 \ge \lambda_2` the
    eigenvalues of its covariance, the squared half-axes of its ellipse,

    .. math:: d(x, x') = \left\| \left( \sqrt{\lambda_1} - \sqrt{\lambda'_1},\
        \sqrt{\lambda_2} - \sqrt{\lambda'_2} \right) \right\|.

    It does not change when an image is shifted, turned or mirrored, as long as nothing leaves the
    frame, nor when it is made brighter or darker. It is at most the Wasserstein-2 distance of the
    two densities, in whatever position and at whatever angle.

    Args:
        images: non-negative images [N, 1, H, W]; clamp what was decoded.
        others: images to compare them with, one by one [N, 1, H, W].

    Raises:
        ValueError: when shapes do not fit, a pixel is negative or not finite, or an image is
            black.

    Source:
        On a formula for the L2 Wasserstein metric (Gelbrich, 1990).

    Example:
        >>> image = torch.zeros(1, 1, 8, 8)
        >>> image[0, 0, 3, 2:5] = 1.0
        >>> shape_distance(image, image.mT)
        tensor([0.])
    """
    _checks.points(images, "images", ("N", 1, "H", "W"))
    _checks.points(others, "others", tuple(images.shape))
    _checks.same_device(images=images, others=others)
    difference = _half_axes(images, "images") - _half_axes(others, "others")

    return difference.norm(dim=1).to(images)


@torch.no_grad()
def two_sample_test(
    a: Tensor, b: Tensor, n_permutations: int = 500, generator: Generator | None = None
) -> TwoSample:
    r"""Test whether two sets were drawn from one distribution, by a kernel.

    .. math:: \widehat{\mathrm{MMD}}{}^2 = \operatorname*{mean}_{i \ne i'} k(a_i, a_{i'})
        + \operatorname*{mean}_{j \ne j'} k(b_j, b_{j'})
        - 2 \operatorname*{mean}_{i, j} k(a_i, b_j)

    with the Gaussian kernel whose width is the median distance of the pooled set. The p-value is
    the share of random divisions of the pooled set, the given one included, that are as far
    apart: it is valid for any sample size if all observations are independent.

    Args:
        a: one set [N, ...], N at least 2.
        b: the other set [M, ...], M at least 2.
        n_permutations: random divisions; p cannot be smaller than 1 / (1 + n_permutations).
        generator: source of randomness.

    Raises:
        ValueError: when shapes do not fit, an entry is not finite, or n_permutations is below 1.

    Source:
        A kernel two-sample test (Gretton et al., 2012).

    Example:
        >>> a, b = torch.linspace(0, 1, 20)[:, None], torch.linspace(3, 4, 20)[:, None]
        >>> two_sample_test(a, b, 99, torch.Generator().manual_seed(0)).p_value
        0.01
    """
    if not isinstance(a, Tensor) or a.ndim < 2:
        raise ValueError(f"a must be a float tensor [N, ...] of two axes or more, got {a!r}")
    _check_sets(a, b, tuple(f"size {k}" for k in range(1, a.ndim)))
    _checks.count(n_permutations, "n_permutations")
    n, m = len(a), len(b)
    # The products of a matrix form of the distance would lose the digits of near neighbours.
    exact = "donot_use_mm_for_euclid_dist"
    pooled = double(torch.cat([a.flatten(1), b.flatten(1)]))
    distances = torch.cdist(pooled, pooled, compute_mode=exact)
    i, j = torch.triu_indices(n + m, n + m, offset=1, device=pooled.device)
    width = distances[i, j].median().clamp_min(torch.finfo(torch.float64).tiny)
    kernel = torch.exp(-0.5 * (distances / width).square()).fill_diagonal_(0)

    given = torch.arange(n + m, device=pooled.device)[None]
    shuffled = _orders(n_permutations, n + m, a.device, generator).to(pooled.device)
    in_first = double(torch.cat([given, shuffled]) < n)
    to_first = in_first @ kernel
    in_a = (to_first * in_first).sum(1)
    across = (to_first * (1 - in_first)).sum(1)
    in_b = kernel.sum() - in_a - 2 * across
    values = in_a / (n * (n - 1)) + in_b / (m * (m - 1)) - 2 * across / (n * m)
    # Divisions that only rename equal points tie up to rounding.
    as_far = (values[1:] >= values[0] - 1e-12).sum().item()

    return TwoSample(values[0].item(), (1 + as_far) / (1 + n_permutations))


def _positions(codes: Codes | Tensor, name: str) -> Tensor:
    """The points of a latent space, float64."""
    mu = codes.mu if isinstance(codes, Codes) else codes
    _checks.points(mu, name, ("N", "D"))
    _checks.rows(mu, name, 3)

    return double(mu)


def _check_labels(a: Codes | Tensor, b: Codes | Tensor) -> None:
    """Refuse codes whose labels say that a row is not the same image in both."""
    known = [codes.labels for codes in (a, b) if isinstance(codes, Codes)]
    labels = [column for column in known if column is not None]
    if len(labels) < 2:
        return
    one, two = labels
    _checks.integers(one, "a.labels", (len(a),))
    _checks.integers(two, "b.labels", (len(a),))
    different = (one.cpu() != two.cpu()).nonzero().flatten().tolist()
    if different:
        raise ValueError(
            "a and b must be codes of the same images row by row, their labels differ in "
            f"{len(different)} rows, {different[0]} the first"
        )


def _pairs(n: int, device: torch.device, generator: Generator | None) -> tuple[Tensor, Tensor]:
    """All pairs of n images, or as many as are enough, drawn at random; each [P]."""
    if n * (n - 1) // 2 <= _PAIRS:
        i, j = torch.triu_indices(n, n, offset=1, device=device)
        return i, j
    i = _checks.randint(n, _PAIRS, device, generator)
    step = 1 + _checks.randint(n - 1, _PAIRS, device, generator)

    return i, (i + step) % n


def _ranks(distances: Tensor, name: str) -> Tensor:
    """Ranks less their mean, of norm 1; equal distances share a rank."""
    from scipy.stats import rankdata

    if distances.min() == distances.max():
        raise ValueError(f"{name} has equal distances only: no correlation is defined")
    ranks = torch.from_numpy(rankdata(distances.cpu().numpy())).to(distances.device)

    return torch.nn.functional.normalize(ranks - ranks.mean(), dim=0)


def _common_neighbors(x: Tensor, y: Tensor, k: int) -> float:
    """The mean share of the k nearest neighbours of a row that are the same in x and y."""
    common = 0
    for rows in torch.arange(len(x), device=x.device).split(max(1, _TABLE // len(x))):
        one, two = _nearest(x, rows, k), _nearest(y, rows, k)
        common += int((one[:, :, None] == two[:, None, :]).sum())

    return common / (k * len(x))


def _nearest(x: Tensor, rows: Tensor, k: int) -> Tensor:
    """The k nearest other points of some rows of x, [R, k]."""
    distances = torch.cdist(x[rows], x, compute_mode="donot_use_mm_for_euclid_dist")
    distances = distances.scatter(1, rows[:, None], math.inf)

    return distances.topk(k, dim=1, largest=False).indices


def _standard_scores(distances: Tensor, name: str) -> Tensor:
    """Distances [C, C] less their mean over the pairs, of norm 1 over them."""
    d = double(distances)
    i, j = torch.triu_indices(len(d), len(d), offset=1, device=d.device)
    if (d - d.T).abs().max() > 1e-5 * d.abs().max():
        raise ValueError(f"{name} must be symmetric")
    if not (d[i, j] >= 0).all():
        raise ValueError(f"{name} must hold distances, none negative, got {d[i, j].min():g}")
    centred = d - d[i, j].mean()
    norm = centred[i, j].norm()
    if norm <= 1e-12 * d[i, j].norm():
        raise ValueError(f"{name} has equal distances only: no correlation is defined")

    return centred / norm


def _orders(n: int, size: int, device: torch.device, generator: Generator | None) -> Tensor:
    """n random orders of `size` things, [n, size]."""
    return _checks.rand((n, size), torch.empty(0, device=device), generator).argsort(1)


def _half_axes(images: Tensor, name: str) -> Tensor:
    """Return the standard deviations along an image's two axes, [N, 2], in pixels, float64."""
    if not bool((images >= 0).all()):
        bad = images[images < 0][0].item()
        raise ValueError(f"{name} must be non-negative, got a pixel of {bad:g}")
    weights = double(images).flatten(1)
    total = weights.sum(1, keepdim=True)
    if not bool((total > 0).all()):
        raise ValueError(f"{name} must each have a pixel above 0, got one that is black")
    weights = weights / total
    rows, columns = (torch.arange(side).to(weights) for side in images.shape[2:])
    pixels = torch.cartesian_prod(rows, columns)
    centred = pixels - (weights @ pixels)[:, None]
    covariance = torch.einsum("np,npi,npj->nij", weights, centred, centred)

    return torch.linalg.eigvalsh(covariance).clamp_min(0).sqrt()


def _check_sets(a: Tensor, b: Tensor, shape: tuple[str, ...]) -> None:
    """Refuse what are not two sets of at least two things of one shape."""
    _checks.points(a, "a", ("N", *shape))
    _checks.points(b, "b", ("M", *a.shape[1:]))
    _checks.same_device(a=a, b=b)
    _checks.rows(a, "a", 2)
    _checks.rows(b, "b", 2)
