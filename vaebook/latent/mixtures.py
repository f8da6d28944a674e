r"""Mixtures of Gaussians in latent space: what the encodings of a class look like together.

An encoder sends the image :math:`x_i` to :math:`q(z|x_i) = N(\mu_i, \Lambda_i)` with the diagonal
:math:`\Lambda_i = \mathrm{diag}(\exp \mathrm{logvar}_i)`. A class, or the whole set, is the
equal-weight mixture of the Gaussians of its images. Log-densities, divergences and informations
are in nats; sums run in float64, tensors come back in the dtype of the input.
"""

__all__ = [
    "AggregateInformation",
    "ClassMoments",
    "CovarianceParts",
    "Estimate",
    "aggregate_information",
    "bhattacharyya",
    "class_moments",
    "covariance_parts",
    "log_density",
    "log_posterior",
    "mixture_kl",
]

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

# Entries of the largest table [points, components] held at once; 8 MB suit a core's cache.
_TABLE = 2**20


# Beyond these a square, a variance or a precision leaves the range of float64.
_LARGEST_MEAN, _LARGEST_LOGVAR = 1e100, 300.0


class ClassMoments(NamedTuple):
    """Moments of each class's mixture: classes [C], means [C,D], covariances [C,D,D]."""

    classes: Tensor
    means: Tensor
    covariances: Tensor


class CovarianceParts(NamedTuple):
    """The two terms of each class's covariance: within [C,D,D], between [C,D,D]."""

    within: Tensor
    between: Tensor


class Estimate(NamedTuple):
    """A Monte Carlo mean and its standard error."""

    value: float
    standard_error: float


class AggregateInformation(NamedTuple):
    """What the encodings say of the images, and how far together they are from the prior."""

    mean_kl: float
    marginal_kl: Estimate
    information: Estimate
    information_left_out: Estimate


def class_moments(
    mu: Tensor, logvar: Tensor, labels: Tensor, classes: Tensor | None = None
) -> ClassMoments:
    r"""Mean and covariance of each class's mixture.

    With :math:`n_C` encodings in the class :math:`C`,

    .. math:: \mu_C = \frac{1}{n_C} \sum_{i \in C} \mu_i, \qquad
        \Sigma_C = \frac{1}{n_C} \sum_{i \in C} \left( \Lambda_i + \mu_i \mu_i^\top \right)
        - \mu_C \mu_C^\top = \mathrm{mean}_C(\Lambda) + \mathrm{Cov}_C(\mu).

    A class of one encoding is refused: its :math:`\mathrm{Cov}_C(\mu)` would be zero, which is not
    a measured spread but a missing one. (Its mixture is that one Gaussian, with covariance
    :math:`\Lambda_i`.)

    Args:
        mu: Means of the encodings [N,D].
        logvar: Log-variances of the encodings [N,D].
        labels: Class of each encoding, integers [N].
        classes: The classes that there must be, each at least twice; by default those that occur.

    Raises:
        ValueError: A class has none or one encoding, a label is not of the classes, the lengths
            differ, or a moment is not finite; classes and rows are named.
    """
    found, means, within, between = _moments(mu, logvar, labels, classes)

    return ClassMoments(found, means.to(mu.dtype), (within + between).to(mu.dtype))


def covariance_parts(
    mu: Tensor, logvar: Tensor, labels: Tensor, classes: Tensor | None = None
) -> CovarianceParts:
    r"""The encoder's own variance :math:`\mathrm{mean}_C(\Lambda)` and the spread of the means
    :math:`\mathrm{Cov}_C(\mu)`, the two terms of :math:`\Sigma_C`.

    Args: and Raises: as :func:`class_moments`.
    """
    _, _, within, between = _moments(mu, logvar, labels, classes)

    return CovarianceParts(within.to(mu.dtype), between.to(mu.dtype))


def log_density(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Log-density of the equal-weight mixture of the encodings.

    .. math:: \log q(z) = \log \frac{1}{N} \sum_{i=1}^{N} N(z; \mu_i, \Lambda_i)

    Every component counts. The quadratic forms are matrix products in float64; where their
    rounding could pass 1e-7 nats (variances tiny beside squared distances), differences are
    taken first, which costs D times the work.

    Args:
        z: Points [M,D].
        mu: Means of the encodings [N,D].
        logvar: Log-variances of the encodings [N,D].

    Returns:
        Log-densities [M].

    Raises:
        ValueError: Shapes do not fit, or a row of z, mu or logvar is not finite.
    """
    _check_points(z, mu)
    _check_codes(mu, logvar)

    return (_log_sum(z, mu, logvar) - math.log(len(mu))).to(z.dtype)


def log_posterior(z: Tensor, mu: Tensor, logvar: Tensor, labels: Tensor) -> Tensor:
    r"""Log-probability of each class at a point, by Bayes' rule from the classes' mixtures.

    .. math:: \log p(C|z) = \log \pi_C + \log q(z|C) - \log q(z), \qquad \pi_C = n_C / N

    Codes that are themselves among ``mu`` find their own component there, which flatters the
    classifier: to measure it, classify codes of other images.

    Args:
        z: Points [M,D].
        mu: Means of the encodings [N,D].
        logvar: Log-variances of the encodings [N,D].
        labels: Class of each encoding, integers [N].

    Returns:
        Log-probabilities [M,C], one column a class that occurs, in ascending order.

    Raises:
        ValueError: Shapes do not fit, or a row of z, mu or logvar is not finite.
    """
    _check_points(z, mu)
    _check_labels(labels, mu)
    _check_codes(mu, logvar, labels)

    joint = [_log_sum(z, mu[labels == c], logvar[labels == c]) for c in labels.unique()]

    return torch.log_softmax(torch.stack(joint, dim=1), dim=1).to(z.dtype)


def mixture_kl(
    mu_p: Tensor,
    logvar_p: Tensor,
    mu_q: Tensor,
    logvar_q: Tensor,
    n_samples: int = 10_000,
    generator: Generator | None = None,
) -> Estimate:
    r"""Kullback-Leibler divergence of two mixtures, by Monte Carlo.

    .. math:: KL(p \| q) = E_{z \sim p} \left[ \log p(z) - \log q(z) \right]

    Args:
        mu_p: Means of p's components [N,D].
        logvar_p: Log-variances of p's components [N,D].
        mu_q: Means of q's components [L,D].
        logvar_q: Log-variances of q's components [L,D].
        n_samples: Independent draws from p, at least 2.
        generator: Source of randomness.

    Raises:
        ValueError: Shapes do not fit, fewer than two draws, or moments are not finite.
    """
    _check_codes(mu_p, logvar_p)
    _check_codes(mu_q, logvar_q)
    z, _ = _draw(n_samples, mu_p, logvar_p, generator)

    return _estimate(log_density(z, mu_p, logvar_p) - log_density(z, mu_q, logvar_q))


def aggregate_information(
    mu: Tensor, logvar: Tensor, n_samples: int = 2_000, generator: Generator | None = None
) -> AggregateInformation:
    r"""The mean KL to the prior, split into what the whole cloud owes and what tells images apart.

    With the aggregate posterior :math:`q(z) = \frac{1}{N} \sum_i q(z|x_i)` and
    :math:`p = N(0, I)`,

    .. math:: \frac{1}{N} \sum_i KL(q(z|x_i) \| p) = KL(q(z) \| p) + I(x; z), \qquad
        I(x; z) = E \log \frac{q(z|x_i)}{q(z)}.

    ``mean_kl`` is the left side in closed form; ``marginal_kl`` and ``information`` are Monte
    Carlo estimates of the two terms on the right, from draws of an image i and of z given i.

    The sum q(z) contains the drawn image's own component, as it must: for these N images the
    identity then is exact, and I cannot exceed log N, however sharp the codes. Of the information
    in the *population* that the images were drawn from it is therefore, in expectation, a lower
    bound. Leaving the own component out of q(z) gives an upper bound,
    ``information_left_out``. Far apart, the two say that N is too small to tell.

    Args:
        mu: Means of the encodings [N,D], N at least 2.
        logvar: Log-variances of the encodings [N,D].
        n_samples: Independent draws of (i, z), at least 2.
        generator: Source of randomness.

    Raises:
        ValueError: Fewer than two encodings or draws, or moments are not finite.

    Source:
        ELBO surgery (Hoffman and Johnson, 2016) for the identity; On variational bounds of mutual
        information (Poole et al., 2019) for the two bounds.
    """
    _check_codes(mu, logvar)
    if len(mu) < 2:
        raise ValueError(f"mu must hold at least 2 encodings to be told apart, got {len(mu)}")

    n = len(mu)
    z, image = _draw(n_samples, mu, logvar, generator)
    log_prior = -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
    log_own = _log_normal(z, mu[image].double(), logvar[image].double())
    log_others = _log_sum(z, mu, logvar, omit=image)
    log_aggregate = torch.logaddexp(log_own, log_others) - math.log(n)
    kl = 0.5 * (mu.double().square() + logvar.double().exp() - logvar.double() - 1).sum(1)

    return AggregateInformation(
        mean_kl=kl.mean().item(),
        marginal_kl=_estimate(log_aggregate - log_prior),
        information=_estimate(log_own - log_aggregate),
        information_left_out=_estimate(log_own - log_others + math.log(n - 1)),
    )


def bhattacharyya(means: Tensor, covariances: Tensor) -> Tensor:
    r"""Bhattacharyya distance between each two of C Gaussians.

    .. math:: d_{ij} = -\log \int \sqrt{p_i p_j} = \frac{1}{8} (\mu_i - \mu_j)^\top S^{-1}
        (\mu_i - \mu_j) + \frac{1}{2} \log \frac{|S|}{\sqrt{|\Sigma_i| |\Sigma_j|}},
        \qquad S = \frac{\Sigma_i + \Sigma_j}{2}

    It lacks the triangle inequality.

    Args:
        means: [C,D].
        covariances: Positive definite [C,D,D].

    Returns:
        Distances [C,C], symmetric, zero on the diagonal.

    Raises:
        ValueError: Shapes do not fit, or a covariance is not positive definite; which is named.
    """
    if means.ndim != 2 or covariances.shape != (*means.shape, means.shape[-1]):
        raise ValueError(
            "means must be [C,D] and covariances [C,D,D], "
            f"got {list(means.shape)} and {list(covariances.shape)}"
        )
    sigma = covariances.double()
    finite = means.isfinite().all(1) & sigma.isfinite().flatten(1).all(1)
    if not finite.all():
        raise ValueError(f"moments are not finite for classes at {_some(~finite)}")
    factors, info = torch.linalg.cholesky_ex(sigma)
    skew = (sigma - sigma.mT).abs().amax((1, 2))
    bad = (info > 0) | (skew > 1e-5 * sigma.abs().amax((1, 2)))
    if bad.any():
        raise ValueError(
            f"covariances must be symmetric positive definite, not so for classes at {_some(bad)}"
        )

    middle = torch.linalg.cholesky(0.5 * (sigma[:, None] + sigma[None, :]))
    gap = (means[:, None] - means[None, :]).double().unsqueeze(-1)
    scaled = torch.linalg.solve_triangular(middle, gap, upper=False)
    half = _half_log_det(factors)
    distances = (
        scaled.square().sum((-2, -1)) / 8
        + _half_log_det(middle)
        - 0.5 * (half[:, None] + half[None, :])
    )

    # Rounding may leave the distance of equal Gaussians below zero.
    return distances.clamp_min(0.0).to(means.dtype)


def _moments(
    mu: Tensor, logvar: Tensor, labels: Tensor, classes: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Classes [C], means [C,D], mean Lambda [C,D,D] and covariance of the means [C,D,D]."""
    _check_labels(labels, mu)
    _check_codes(mu, logvar, labels)
    found, counts = labels.unique(return_counts=True)
    wanted = found if classes is None else classes.to(labels.device).unique()
    empty = wanted[~torch.isin(wanted, found)].tolist()
    foreign = found[~torch.isin(found, wanted)].tolist()
    single = found[counts < 2].tolist()
    if empty or foreign:
        raise ValueError(
            f"labels must be of the classes {wanted.tolist()}: "
            f"{empty} have no member, {foreign} are not among them"
        )
    if single:
        raise ValueError(
            f"classes {single} have one member each: the spread of the means needs at least 2"
        )

    means, within, between = [], [], []
    for rows in labels.argsort(stable=True).split(counts.tolist()):
        block = mu.index_select(0, rows).double()
        means.append(block.mean(0))
        within.append(logvar.index_select(0, rows).double().exp().mean(0).diag())
        between.append(block.T.cov(correction=0).reshape_as(within[-1]))

    return found, torch.stack(means), torch.stack(within), torch.stack(between)


def _log_sum(z: Tensor, mu: Tensor, logvar: Tensor, omit: Tensor | None = None) -> Tensor:
    r"""log sum_i N(z; mu_i, Lambda_i) [M] in float64, without component omit[m] for point m."""
    centre = mu.double().mean(0)
    z, mu, logvar = z.double() - centre, mu.double() - centre, logvar.double()
    precision = (-logvar).exp()

    # What the expanded square may lose: the size of its terms times the rounding of float64.
    reach = z.detach().abs().amax(0) + mu.detach().abs()
    loss = torch.finfo(torch.float64).eps * (reach.square() * precision.detach()).sum(1).max()
    if direct := bool(loss > 1e-7):
        width = len(mu) * mu.shape[1]
    else:
        width = len(mu)
        constant = -0.5 * (logvar + math.log(2 * math.pi) + mu.square() * precision).sum(1)
        table = torch.cat([-0.5 * precision, mu * precision, constant[:, None]], 1).T.contiguous()

    sums = []
    for rows in torch.arange(len(z), device=z.device).split(max(1, _TABLE // width)):
        points = z[rows]
        if direct:
            logs = _log_normal(points[:, None], mu, logvar)
        else:
            logs = torch.cat([points.square(), points, torch.ones_like(points[:, :1])], 1) @ table
        if omit is not None:
            logs = logs.scatter(1, omit[rows, None], -math.inf)
        sums.append(logs.logsumexp(1))

    return torch.cat(sums)


def _log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log-density of diagonal Gaussians, summed over the last axis; shapes broadcast."""
    return -0.5 * ((z - mu).square() * (-logvar).exp() + logvar + math.log(2 * math.pi)).sum(-1)


def _draw(
    n: int, mu: Tensor, logvar: Tensor, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    """n points of the mixture in float64 [n,D] and the component each came from [n]."""
    if n < 2:
        raise ValueError(f"n_samples must be at least 2 for a standard error, got {n}")
    index = torch.randint(len(mu), (n,), generator=generator, device=mu.device)
    noise = torch.randn(n, mu.shape[1], generator=generator, dtype=torch.float64, device=mu.device)

    return mu[index].double() + (0.5 * logvar[index].double()).exp() * noise, index


def _estimate(draws: Tensor) -> Estimate:
    return Estimate(draws.mean().item(), (draws.std() / math.sqrt(len(draws))).item())


def _half_log_det(factor: Tensor) -> Tensor:
    """½ log det of a matrix from its Cholesky factor."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _some(mask: Tensor) -> str:
    """The first positions where the mask holds, and how many there are."""
    rows = mask.nonzero().flatten().tolist()

    return f"{rows[:5]}" + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")


def _check_rows(name: str, good: Tensor) -> None:
    if not good.all():
        raise ValueError(f"{name} must be finite, not so in rows {_some(~good)}")


def _check_points(z: Tensor, mu: Tensor) -> None:
    if z.ndim != 2 or mu.ndim != 2 or z.shape[1] != mu.shape[1] or not len(z):
        raise ValueError(
            f"z must be [M,D] with M >= 1, mu [N,D], got {list(z.shape)} and {list(mu.shape)}"
        )
    _check_rows("z", z.isfinite().all(1))


def _check_labels(labels: Tensor, mu: Tensor) -> None:
    if labels.shape != mu.shape[:1]:
        raise ValueError(
            f"labels must be one per row of mu, [{len(mu)}], got {list(labels.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"labels must be integers, got {labels.dtype}")


def _check_codes(mu: Tensor, logvar: Tensor, labels: Tensor | None = None) -> None:
    if mu.ndim != 2 or mu.shape != logvar.shape or 0 in mu.shape:
        raise ValueError(
            "mu and logvar must both be [N,D] with N and D at least 1, "
            f"got {list(mu.shape)} and {list(logvar.shape)}"
        )
    # A comparison with NaN is false: one test finds all that has no finite moments.
    if not (mu.abs().max() <= _LARGEST_MEAN and logvar.abs().max() <= _LARGEST_LOGVAR):
        good = ((mu.abs() <= _LARGEST_MEAN) & (logvar.abs() <= _LARGEST_LOGVAR)).all(1)
        classes = "" if labels is None else f" (classes {labels[~good].unique().tolist()})"
        raise ValueError(f"mu or logvar has no finite moments in rows {_some(~good)}{classes}")
