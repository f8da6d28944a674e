r"""Mixtures of Gaussians in latent space: what the encodings of a class look like together.

An encoder sends the image :math:`x_i` to :math:`q(z|x_i) = \mathcal{N}(\mu_i, \Lambda_i)` with the
diagonal :math:`\Lambda_i = \mathrm{diag}(\exp \mathrm{logvar}_i)`. A class, or the whole set, is
the equal-weight mixture of the Gaussians of its images. An autoencoder's codes are points: their
logvar is None, :math:`\Lambda_i = 0`; they have moments, but no density.

Log-densities, divergences and mutual information are in nats. Sums run in float64, tensors come
back on the device and in the dtype of the input.
"""

__all__ = [
    "AggregateInformation",
    "ClassMoments",
    "CovarianceParts",
    "Estimate",
    "Surgery",
    "aggregate_information",
    "bhattacharyya",
    "class_moments",
    "covariance_parts",
    "log_density",
    "log_posterior",
    "mixture_kl",
    "surgery",
]

import copy
import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vaebook import _checks
from vaebook._checks import double
from vaebook.models.priors import Prior, StandardNormal

# Entries of the largest table [points, components] held at once; 8 MB suit a core's cache.
_TABLE = 2**20

# Beyond it a variance, or the square of a distance divided by one, leaves the range of float32.
_LARGEST_LOGVAR = 40.0

_LINES, _LONGEST = 64, 9_000  # of a grid: lines at a time, and points of the longest line


class ClassMoments(NamedTuple):
    """Moments of each class's mixture: classes [C], means [C, D], covariances [C, D, D]."""

    classes: Tensor
    means: Tensor
    covariances: Tensor


class CovarianceParts(NamedTuple):
    """The two terms of each class's covariance: within [C, D, D], between [C, D, D]."""

    within: Tensor
    between: Tensor


class Estimate(NamedTuple):
    """A Monte Carlo mean and its standard error."""

    value: float
    standard_error: float


class AggregateInformation(NamedTuple):
    """How much the encodings say about the images, and how far their aggregate is from p."""

    mean_kl: float
    marginal_kl: Estimate
    information: Estimate
    information_left_out: Estimate


class Surgery(NamedTuple):
    """The mean KL in its two parts, nats: `mean_kl = information + marginal_kl`."""

    mean_kl: float
    information: float
    marginal_kl: float


def class_moments(
    mu: Tensor, logvar: Tensor | None, labels: Tensor, classes: Tensor | None = None
) -> ClassMoments:
    r"""Return the mean and the covariance of each class's mixture.

    With :math:`n_C` encodings in the class :math:`C`,

    .. math:: \mu_C &= \frac{1}{n_C} \sum_{i \in C} \mu_i, \\
        \Sigma_C &= \frac{1}{n_C} \sum_{i \in C} \left( \Lambda_i + \mu_i \mu_i^\top \right)
        - \mu_C \mu_C^\top \\
        &= \mathrm{mean}_C(\Lambda) + \mathrm{Cov}_C(\mu).

    A class of one encoding is refused: its :math:`\mathrm{Cov}_C(\mu)` would be zero, which is not
    a measured spread but a missing one. (Its mixture is that one Gaussian, with covariance
    :math:`\Lambda_i`.)

    Args:
        mu: means of the encodings [N, D].
        logvar: log-variances of the encodings [N, D]; None for points, whose variances are 0.
        labels: class of each encoding, integers [N].
        classes: the classes that there must be, each at least twice; by default those that occur.

    Raises:
        ValueError: when a class has none or one encoding, a label is not of the classes, a tensor
            is not what it should be, or one of its entries is not finite.

    Example:
        >>> mu = torch.tensor([[0.0], [2.0], [5.0], [5.0]])
        >>> moments = class_moments(mu, torch.zeros(4, 1), torch.tensor([0, 0, 1, 1]))
        >>> moments.means.flatten(), moments.covariances.flatten()
        (tensor([1., 5.]), tensor([2., 1.]))
    """
    found, means, within, between = _moments(mu, logvar, labels, classes)

    return ClassMoments(found, means.to(mu), (within + between).to(mu))


def covariance_parts(
    mu: Tensor, logvar: Tensor | None, labels: Tensor, classes: Tensor | None = None
) -> CovarianceParts:
    r"""Return the two terms of each class's covariance.

    .. math:: \Sigma_C = \mathrm{mean}_C(\Lambda) + \mathrm{Cov}_C(\mu),

    the encoder's own variance and the spread of the means. Arguments, and what is refused, are
    those of :func:`class_moments`.

    Example:
        >>> mu = torch.tensor([[0.0], [2.0], [5.0], [5.0]])
        >>> parts = covariance_parts(mu, torch.zeros(4, 1), torch.tensor([0, 0, 1, 1]))
        >>> parts.within.flatten(), parts.between.flatten()
        (tensor([1., 1.]), tensor([1., 0.]))
    """
    _, _, within, between = _moments(mu, logvar, labels, classes)

    return CovarianceParts(within.to(mu), between.to(mu))


def log_density(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Return the log-density of the equal-weight mixture of the encodings.

    .. math:: \log q(z) = \log \frac{1}{N} \sum_{i=1}^{N} \mathcal{N}(z; \mu_i, \Lambda_i)

    Every component counts. The quadratic forms are matrix products in float64; where their
    rounding could pass :math:`10^{-7}` nats (variances tiny beside squared distances), differences
    are taken first, which costs D times the work.

    Args:
        z: points [M, D].
        mu: means of the encodings [N, D].
        logvar: log-variances of the encodings [N, D].

    Returns:
        Log-densities [M].

    Raises:
        ValueError: when shapes do not fit, or an entry of z, mu or logvar is not finite.

    Example:
        >>> log_density(torch.zeros(1, 2), torch.zeros(3, 2), torch.zeros(3, 2))
        tensor([-1.8379])
    """
    _check_codes(mu, logvar)
    _check_points(z, mu)

    return (_log_sum(z, mu, logvar) - math.log(len(mu))).to(z)


def log_posterior(z: Tensor, mu: Tensor, logvar: Tensor, labels: Tensor) -> Tensor:
    r"""Return the log-probability of each class at a point, by Bayes' rule.

    .. math:: \log p(C|z) = \log \pi_C + \log q(z|C) - \log q(z), \qquad \pi_C = n_C / N

    Codes that are themselves among ``mu`` find their own component there, which flatters the
    classifier: to measure it, classify codes of other images.

    Args:
        z: points [M, D].
        mu: means of the encodings [N, D].
        logvar: log-variances of the encodings [N, D].
        labels: class of each encoding, integers [N].

    Returns:
        Log-probabilities [M, C], one column per class that occurs, in ascending order.

    Raises:
        ValueError: when shapes do not fit, or an entry of z, mu or logvar is not finite.

    Example:
        >>> mu = torch.tensor([[-1.0], [1.0]])
        >>> log_posterior(torch.zeros(1, 1), mu, torch.zeros(2, 1), torch.tensor([0, 1])).exp()
        tensor([[0.5000, 0.5000]])
    """
    _check_codes(mu, logvar)
    _check_points(z, mu)
    _check_labels(labels, mu)

    joint = [_log_sum(z, mu[labels == c], logvar[labels == c]) for c in labels.unique()]

    return torch.log_softmax(torch.stack(joint, dim=1), dim=1).to(z)


@torch.no_grad()
def mixture_kl(
    mu_p: Tensor,
    logvar_p: Tensor,
    mu_q: Tensor,
    logvar_q: Tensor,
    n_samples: int = 10_000,
    generator: Generator | None = None,
) -> Estimate:
    r"""Estimate the Kullback–Leibler divergence of two mixtures, by Monte Carlo.

    .. math:: \mathrm{KL}(p \,\|\, q) = \mathbb{E}_{z \sim p} \left[ \log p(z) - \log q(z) \right]

    Args:
        mu_p: means of p's components [N, D].
        logvar_p: log-variances of p's components [N, D].
        mu_q: means of q's components [L, D].
        logvar_q: log-variances of q's components [L, D].
        n_samples: independent draws from p, at least 2.
        generator: source of randomness.

    Raises:
        ValueError: when shapes do not fit, there are fewer than two draws, or an entry is not
            finite.

    Example:
        >>> p = torch.zeros(3, 2), torch.zeros(3, 2)
        >>> mixture_kl(*p, *p, n_samples=10)
        Estimate(value=0.0, standard_error=0.0)
    """
    _check_codes(mu_p, logvar_p, "mu_p", "logvar_p")
    _check_codes(mu_q, logvar_q, "mu_q", "logvar_q")
    _checks.points(mu_q, "mu_q", ("L", mu_p.shape[1]))
    _checks.same_device(mu_p=mu_p, mu_q=mu_q)
    _checks.count(n_samples, "n_samples", least=2)
    z, _ = _draw(n_samples, mu_p, logvar_p, generator)
    log_p = _log_sum(z, mu_p, logvar_p) - math.log(len(mu_p))
    log_q = _log_sum(z, mu_q, logvar_q) - math.log(len(mu_q))

    return _estimate(log_p - log_q)


@torch.no_grad()
def aggregate_information(
    mu: Tensor,
    logvar: Tensor,
    prior: Prior | None = None,
    n_samples: int = 2_000,
    generator: Generator | None = None,
) -> AggregateInformation:
    r"""Split the mean KL to the prior into that of the aggregate and the information on images.

    With the aggregate posterior :math:`q(z) = \frac{1}{N} \sum_i q(z|x_i)` and the prior p,

    .. math::

        \frac{1}{N} \sum_i \mathrm{KL}(q(z|x_i) \,\|\, p)
        &= \mathrm{KL}(q(z) \,\|\, p) + I(x; z), \\
        I(x; z) &= \mathbb{E} \log \frac{q(z|x_i)}{q(z)}.

    ``mean_kl`` is the left side, in closed form where the prior has one, else from one draw per
    encoding; ``marginal_kl`` and ``information`` are Monte Carlo estimates of the two terms on
    the right, from draws of an image i and of z given i.

    The sum q(z) contains the drawn image's own component, as it must: for these N images the
    identity then is exact, and I cannot exceed log N, however sharp the codes. Of the information
    in the *population* that the images were drawn from it is therefore, in expectation, a lower
    bound. Leaving the image's own component out of q(z) gives an upper bound,
    ``information_left_out``. Far apart, the two say that N is too small to tell.

    Args:
        mu: means of the encodings [N, D], N at least 2.
        logvar: log-variances of the encodings [N, D].
        prior: p, one for all images; N(0, I) by default.
        n_samples: independent draws of (i, z), at least 2.
        generator: source of randomness.

    Raises:
        ValueError: when there are fewer than two encodings or draws, the prior has another
            dimension or depends on the image, or an entry is not finite.

    Source:
        ELBO surgery (Hoffman and Johnson, 2016) for the identity; On variational bounds of mutual
        information (Poole et al., 2019) for the two bounds.

    Example:
        >>> mu = torch.tensor([[-50.0], [50.0]])
        >>> found = aggregate_information(mu, torch.zeros(2, 1), n_samples=100)
        >>> round(found.information.value, 4), round(math.log(2), 4)
        (0.6931, 0.6931)
    """
    _check_codes(mu, logvar)
    n, d = mu.shape
    if n < 2:
        raise ValueError(f"mu must hold at least 2 encodings to be told apart, got {n}")
    if prior is None:
        prior = StandardNormal(d)
    if not isinstance(prior, Prior) or prior.latent_dim != d:
        raise ValueError(f"prior must be a Prior over {d} dimensions or None, got {prior!r}")
    _checks.count(n_samples, "n_samples", least=2)

    mu, logvar = double(mu), double(logvar)
    prior = copy.deepcopy(prior).to(mu)
    z, image = _draw(n_samples, mu, logvar, generator)
    log_own = _log_normal(z, mu[image], logvar[image])
    log_others = _log_sum(z, mu, logvar, omit=image)
    log_aggregate = torch.logaddexp(log_own, log_others) - math.log(n)

    return AggregateInformation(
        mean_kl=prior.kl(mu, logvar, generator=generator).mean().item(),
        marginal_kl=_estimate(log_aggregate - prior.log_prob(z)),
        information=_estimate(log_own - log_aggregate),
        information_left_out=_estimate(log_own - log_others + math.log(n - 1)),
    )


def surgery(
    mu: Tensor,
    logvar: Tensor,
    prior: Prior | None = None,
    step: float = 0.01,
) -> Surgery:
    r"""Split the mean KL of codes in the plane without draws, by sums over a grid.

    .. math:: \underbrace{\frac1N \sum_i \mathrm{KL}(q_i \,\|\, p)}_{\text{mean\_kl}}
        = \underbrace{H(q) - \frac1N \sum_i H(q_i)}_{\text{information}}
        + \underbrace{\int q \log \frac qp}_{\text{marginal\_kl}}, \qquad
        q = \frac1N \sum_i q_i

    The entropies :math:`H(q_i)` are in closed form; the two integrals run over a grid that reaches
    six standard deviations beyond each code. Components are products of two Gaussians, so that
    their sum on the grid is one product of matrices. A grid whose step is the least standard
    deviation misses an integral of one component by :math:`5 \cdot 10^{-9}` of it.

    Args:
        mu: means of the codes, [N, 2].
        logvar: their log-variances, [N, 2].
        prior: p, one for all images; N(0, I) by default.
        step: of the grid, at most the least standard deviation.

    Raises:
        ValueError: when the codes are not in the plane, one is narrower than the step, the grid
            would have more than 9,000 points per dimension, or the prior is of another dimension
            or depends on the image.

    Source:
        ELBO surgery: yet another way to carve up the variational evidence lower bound (Hoffman
        and Johnson, 2016), for the identity.

    Example:
        >>> far = torch.tensor([[-9.0, 0.0], [9.0, 0.0]])
        >>> found = surgery(far, torch.zeros(2, 2), step=0.5)
        >>> round(found.information, 4), round(found.mean_kl, 4)  # one bit; 9^2 / 2
        (0.6931, 40.5)
    """
    _check_codes(mu, logvar)
    if mu.shape[1] != 2:
        raise ValueError(f"mu must be [N, 2], got {list(mu.shape)}")
    if prior is None:
        prior = StandardNormal(2)
    if not isinstance(prior, Prior) or prior.latent_dim != 2:
        raise ValueError(f"prior must be a Prior over 2 dimensions or None, got {prior!r}")
    _checks.number(step, "step", 0, 1e6, open=True)
    mu, logvar = double(mu), double(logvar)
    deviation = (0.5 * logvar).exp()
    if step > 1.000001 * deviation.min().item():
        raise ValueError(
            f"step must be at most the least standard deviation, {deviation.min().item():.3g}, "
            f"got {step:g}"
        )
    low, high = (mu - 6 * deviation).amin(0), (mu + 6 * deviation).amax(0)
    longest = ((high - low) / step).max().item()
    if longest >= _LONGEST:
        raise ValueError(
            f"step must be larger than {step:g}: the grid would have {longest:,.0f} points in a "
            f"dimension, more than {_LONGEST:,}"
        )
    sizes = ((high - low) / step).ceil().long() + 1
    axes = [
        low[j] + step * torch.arange(int(sizes[j]), dtype=mu.dtype, device=mu.device)
        for j in (0, 1)
    ]
    rows, columns = (
        _log_normal(axes[j][:, None, None], mu[:, j, None], logvar[:, j, None]).exp()
        for j in (0, 1)
    )
    prior = copy.deepcopy(prior).to(mu)
    entropy = cross = mass = 0.0
    with torch.no_grad():
        for x, row in zip(axes[0].split(_LINES), rows.split(_LINES), strict=True):
            density = row @ columns.T / len(mu)
            points = torch.cartesian_prod(x, axes[1])
            # Where no code reaches, the prior is not asked.
            there = density.flatten() > 0
            weights = density.flatten()[there] * step**2
            entropy -= torch.xlogy(density, density).sum().item() * step**2
            cross -= (weights * prior.log_prob(points[there])).sum().item()
            mass += weights.sum().item()
    own = 0.5 * (logvar + math.log(2 * math.pi * math.e)).sum(1).mean().item()
    # What the grid's edges leave out, some 1e-9, is shared out.
    entropy, cross = entropy / mass + math.log(mass), cross / mass
    return Surgery(cross - own, entropy - own, cross - entropy)


def bhattacharyya(means: Tensor, covariances: Tensor) -> Tensor:
    r"""Return the Bhattacharyya distance between each two of C Gaussians.

    .. math:: d_{ij} &= -\log \int \sqrt{p_i p_j} \\
        &= \frac{1}{8} (\mu_i - \mu_j)^\top S^{-1} (\mu_i - \mu_j)
        + \frac{1}{2} \log \frac{|S|}{\sqrt{|\Sigma_i| |\Sigma_j|}}, \\
        S &= \frac{\Sigma_i + \Sigma_j}{2}

    It lacks the triangle inequality.

    Args:
        means: [C, D].
        covariances: positive definite [C, D, D].

    Returns:
        Distances [C, C], symmetric, zero on the diagonal.

    Raises:
        ValueError: when shapes do not fit, an entry is not finite, or a covariance is not positive
            definite, in which case its number is named.

    Example:
        >>> means, unit = torch.tensor([[0.0, 0.0], [4.0, 0.0]]), torch.eye(2).expand(2, 2, 2)
        >>> bhattacharyya(means, unit)
        tensor([[0., 2.],
                [2., 0.]])
    """
    _checks.points(means, "means", ("C", "D"))
    c, d = means.shape
    _checks.floats(covariances, "covariances", (c, d, d), largest=1e30)
    _checks.same_device(means=means, covariances=covariances)
    sigma, mu = double(covariances), double(means)
    skew = (sigma - sigma.mT).abs().amax((1, 2))
    indefinite = torch.linalg.cholesky_ex(sigma).info > 0
    bad = indefinite | (skew > 1e-5 * sigma.abs().amax((1, 2)))
    if bad.any():
        raise ValueError(
            "covariances must be symmetric positive definite, not so for classes at "
            f"{bad.nonzero().flatten().tolist()}"
        )

    middle = torch.linalg.cholesky(0.5 * (sigma[:, None] + sigma[None, :]))
    gap = (mu[:, None] - mu[None, :]).unsqueeze(-1)
    scaled = torch.linalg.solve_triangular(middle, gap, upper=False)
    half_log_det = middle.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    own = half_log_det.diagonal()
    distances = (
        scaled.square().sum((-2, -1)) / 8 + half_log_det - 0.5 * (own[:, None] + own[None, :])
    )

    # Rounding may leave the distance of equal Gaussians below zero.
    distances = distances.clamp_min(0.0).to(means)
    if not distances.isfinite().all():
        raise ValueError(
            "covariances must not be so small beside the gaps of the means that a distance is "
            f"beyond {means.dtype}"
        )
    return distances


def _moments(
    mu: Tensor, logvar: Tensor | None, labels: Tensor, classes: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Classes [C], means [C, D], mean Lambda [C, D, D] and covariance of the means [C, D, D]."""
    if logvar is None:
        _checks.points(mu, "mu", ("N", "D"))
    else:
        _check_codes(mu, logvar)
    _check_labels(labels, mu)
    found, counts = labels.unique(return_counts=True)
    if classes is not None:
        _check_classes(classes, found)
    single = found[counts < 2].tolist()
    if single:
        raise ValueError(
            f"labels must name each class at least twice, {single} have one member each: "
            "the spread of the means needs 2"
        )

    means, within, between = [], [], []
    for rows in labels.argsort(stable=True).split(counts.tolist()):
        block = double(mu.index_select(0, rows))
        own = block.new_zeros(block.shape)
        if logvar is not None:
            own = double(logvar.index_select(0, rows)).exp()
        means.append(block.mean(0))
        within.append(own.mean(0).diag())
        between.append(block.T.cov(correction=0).reshape_as(within[-1]))

    return found, torch.stack(means), torch.stack(within), torch.stack(between)


def _log_sum(z: Tensor, mu: Tensor, logvar: Tensor, omit: Tensor | None = None) -> Tensor:
    r"""log sum_i N(z; mu_i, Lambda_i) [M] in float64, without component omit[m] for point m."""
    z, mu, logvar = double(z), double(mu), double(logvar)
    centre = mu.mean(0)
    z, mu = z - centre, mu - centre

    if _squares_are_exact(z, mu, logvar):
        table, width = _product_table(mu, logvar), len(mu)
    else:
        table, width = None, mu.numel()

    sums = []
    for rows in torch.arange(len(z), device=z.device).split(max(1, _TABLE // width)):
        points = z[rows]
        if table is None:
            logs = _log_normal(points[:, None], mu, logvar)
        else:
            logs = _expanded(points) @ table
        if omit is not None:
            logs = logs.scatter(1, omit[rows, None], -math.inf)
        sums.append(logs.logsumexp(1))

    return torch.cat(sums)


def _squares_are_exact(z: Tensor, mu: Tensor, logvar: Tensor) -> bool:
    """Whether the expanded square loses less than 1e-7 nats.

    That is at most the size of its terms times the rounding of float64.
    """
    reach = z.detach().abs().amax(0) + mu.detach().abs()
    terms = (reach.square() * (-logvar.detach()).exp()).sum(1)

    return bool(torch.finfo(torch.float64).eps * terms.max() <= 1e-7)


def _product_table(mu: Tensor, logvar: Tensor) -> Tensor:
    """What turns expanded points into the log-densities of N components, [2D+1, N]."""
    precision = (-logvar).exp()
    constant = -0.5 * (logvar + math.log(2 * math.pi) + mu.square() * precision).sum(1)

    return torch.cat([-0.5 * precision, mu * precision, constant[:, None]], 1).T.contiguous()


def _expanded(points: Tensor) -> Tensor:
    """Squares, coordinates and a one of points [M, D], [M, 2D+1]."""
    return torch.cat([points.square(), points, torch.ones_like(points[:, :1])], 1)


def _log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log-density of diagonal Gaussians, summed over the last axis; shapes broadcast."""
    return -0.5 * ((z - mu).square() * (-logvar).exp() + logvar + math.log(2 * math.pi)).sum(-1)


def _draw(
    n: int, mu: Tensor, logvar: Tensor, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    """n points of the mixture in float64 [n, D] and the component each came from [n]."""
    mu, logvar = double(mu), double(logvar)
    index = _checks.randint(len(mu), n, mu.device, generator)
    noise = _checks.randn((n, mu.shape[1]), mu, generator)

    return mu[index] + (0.5 * logvar[index]).exp() * noise, index


def _estimate(draws: Tensor) -> Estimate:
    return Estimate(draws.mean().item(), (draws.std() / math.sqrt(len(draws))).item())


def _check_codes(
    mu: Tensor, logvar: Tensor, mu_name: str = "mu", logvar_name: str = "logvar"
) -> None:
    _checks.points(mu, mu_name, ("N", "D"))
    if logvar is None:
        raise ValueError(
            f"{logvar_name} must be a float tensor {list(mu.shape)}, got None: points have no "
            "density"
        )
    _checks.floats(logvar, logvar_name, tuple(mu.shape), largest=_LARGEST_LOGVAR)
    _checks.same_device(**{mu_name: mu, logvar_name: logvar})


def _check_points(z: Tensor, mu: Tensor) -> None:
    _checks.points(z, "z", ("M", mu.shape[1]))
    _checks.same_device(z=z, mu=mu)


def _check_labels(labels: Tensor, mu: Tensor) -> None:
    _checks.integers(labels, "labels", (len(mu),))
    _checks.same_device(labels=labels, mu=mu)


def _check_classes(classes: Tensor, found: Tensor) -> None:
    """Refuse labels that are not exactly of the classes."""
    _checks.integers(classes, "classes", ("C",))
    _checks.same_device(classes=classes, labels=found)
    wanted = classes.unique()
    empty = wanted[~torch.isin(wanted, found)].tolist()
    foreign = found[~torch.isin(found, wanted)].tolist()
    if empty or foreign:
        raise ValueError(
            f"labels must be of the classes {wanted.tolist()}: "
            f"{empty} have no member, {foreign} are not among them"
        )
