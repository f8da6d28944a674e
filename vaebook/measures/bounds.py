"""What a trained model is worth: the ELBO, log p(x), reconstruction errors, active units.

Images are a tensor [N, C, H, W] or an image set, whose labels a conditional model needs; they are
taken in single precision. A model in train mode is put in eval mode and back; results are on the
device of the images.
"""

__all__ = [
    "Elbo",
    "KlParts",
    "active_units",
    "elbo",
    "kl_parts",
    "log_evidence",
    "log_evidence_grid",
    "reconstruction_errors",
]

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vaebook import _checks, _progress
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Autoencoder, evaluating

_BATCH = 1000
# About as many decoded images at a time stay in the cache of a laptop's processor.
_DECODED = 8000
_PAIRS = 10_000_000  # numbers of a block of draws against all codes
_FAINT = 12.0  # nats below the highest point of a grid, where there is no mass to speak of
_EDGE = 4.0  # nats below the highest point at the edge of a grid: less than 0.003 lie beyond
_FINER = 4  # points per dimension in a cell that has mass, one of each fourth
_CLEAR = 1e-6  # nats that a sum over the grid itself may be off
_DOUBT = 0.01  # nats that a sum over the finer one may be off
_BLOCK = 256  # cells decoded at a time


class Elbo(NamedTuple):
    """The ELBO of each image and its parts, each [N], nats: `elbo = log_prob - kl`."""

    elbo: Tensor
    log_prob: Tensor
    kl: Tensor


class KlParts(NamedTuple):
    """The mean KL from N(0, I) in three parts, each a scalar, nats; their sum is the whole.

    Attributes:
        mutual_information: of image and code, at most log N.
        total_correlation: of the latent dimensions, 0 where they are independent.
        dimension_wise: the KL of each dimension's own distribution from N(0, 1), summed.
    """

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise: Tensor


def elbo(
    model: VAE,
    images: Tensor | ImageSet,
    n_samples: int = 1,
    generator: Generator | None = None,
) -> Elbo:
    r"""Estimate the ELBO: E log p(x|z) by the mean over samples of q(z|x), and the KL.

    Args:
        model: a VAE.
        images: [N, C, H, W].
        n_samples: samples of z per image.
        generator: source of z's noise.

    Raises:
        ValueError: when `n_samples` < 1 or the images don't suit the model.

    Example:
        >>> from vaebook import datasets, recipes
        >>> model = recipes.load("digits-mlp-2d").model
        >>> bound = elbo(model, datasets.digits()[:100], 10)
        >>> bool((bound.elbo == bound.log_prob - bound.kl).all())
        True
    """
    _checks.instance(model, "model", VAE)
    _checks.count(n_samples, "n_samples")
    parts = []
    with evaluating(model):
        for batch in _batches(model, images, _BATCH):
            mu, logvar = model.encode(batch.images)
            condition = model.prior.condition(batch)
            kl = model.prior.kl(mu, logvar, condition, n_samples, generator)
            draws = [model.reparameterize(mu, logvar, generator) for _ in range(n_samples)]
            log_probs = [model.log_prob(batch.images, z, _told(model, batch)) for z in draws]
            parts.append((torch.stack(log_probs).mean(0), kl))
    log_prob, kl = (_joined(part, images) for part in zip(*parts, strict=True))
    return Elbo(log_prob - kl, log_prob, kl)


def log_evidence(
    model: VAE,
    images: Tensor | ImageSet,
    n_samples: int,
    generator: Generator | None = None,
    progress: bool = False,
) -> Tensor:
    r"""Estimate log p(x) by importance sampling from q(z|x), [N], nats.

    .. math:: \log \frac1K \sum_{k=1}^K \frac{p(x|z_k)\,p(z_k)}{q(z_k|x)},
        \quad z_k \sim q(z|x)

    A lower bound in expectation that rises with K. Where q is much narrower than the posterior it
    stays nats below even for thousands of samples; in up to two dimensions
    :func:`log_evidence_grid` is cheaper, and exact to about 0.001 nats.

    Args:
        model: a VAE.
        images: [N, C, H, W].
        n_samples: K, the draws per image.
        generator: source of z's noise.
        progress: show a bar on standard error.

    Raises:
        ValueError: when `n_samples` < 1 or the images don't suit the model.

    Source:
        Importance Weighted Autoencoders (Burda, Grosse and Salakhutdinov, 2016), equation 8 |
        https://arxiv.org/abs/1509.00519

    Example:
        >>> from vaebook import datasets, recipes
        >>> model, images = recipes.load("digits-mlp-2d").model, datasets.digits()[:20]
        >>> log_evidence(model, images, n_samples=100).shape
        torch.Size([20])
    """
    _checks.instance(model, "model", VAE)
    _checks.count(n_samples, "n_samples")
    rows = max(1, _DECODED // n_samples)
    batches = _batches(model, images, rows)
    totals = []
    with evaluating(model):
        for batch in _progress.bar(progress, batches, total=-(-len(images) // rows)):
            mu, logvar = model.encode(batch.images)
            total = torch.full_like(mu[:, 0], -math.inf)
            for start in range(0, n_samples, _DECODED):
                k = min(_DECODED, n_samples - start)
                weights = _log_weights(model, batch, mu, logvar, k, generator)
                total = torch.logaddexp(total, weights)
            totals.append(total)
    return _joined(totals, images) - math.log(n_samples)


def _log_weights(
    model: VAE, batch: ImageSet, mu: Tensor, logvar: Tensor, k: int, generator: Generator | None
) -> Tensor:
    """Return the log of the sum of k importance weights of each image, [N]."""
    noise = _checks.randn((len(mu), k, mu.shape[1]), mu, generator)
    z = (mu[:, None] + (0.5 * logvar).exp()[:, None] * noise).flatten(0, 1)
    log_q = -0.5 * (noise.square() + logvar[:, None] + math.log(2 * math.pi)).sum(-1)
    condition = model.prior.condition(batch)
    if condition is not None:
        condition = condition.repeat_interleave(k, dim=0)
    labels = _told(model, batch)
    if labels is not None:
        labels = labels.repeat_interleave(k)
    repeated = batch.images.repeat_interleave(k, dim=0)
    joint = model.log_prob(repeated, z, labels) + model.prior.log_prob(z, condition)
    return torch.logsumexp(joint.unflatten(0, (-1, k)) - log_q, dim=1)


def log_evidence_grid(
    model: VAE, images: Tensor | ImageSet, size: int = 201, extent: float = 6.0
) -> Tensor:
    r"""Return log p(x) by a sum over a grid in latent space, [N], nats; in one or two dimensions.

    .. math:: \log \sum_g h^D\, p(x|z_g)\, p(z_g)

    Where a posterior is not much wider than h, the cells in which it has mass are cut four times
    finer in each dimension; the rest lies at least 12 nats below the highest point. A posterior
    with the standard deviation h / 6 in some direction, 0.01 by default, is resolved to about
    0.001 nats. An image whose posterior is narrower, or lies beyond the grid, is refused.

    Args:
        model: a VAE with latent_dim 1 or 2, a prior that is one for all images, and a decoder
            that isn't told the class.
        images: [N, C, H, W].
        size: grid points per dimension, spaced h apart.
        extent: the grid covers [-extent, extent].

    Raises:
        ValueError: when the model has more than two latent dimensions, or a class or a prior for
            each image; when the grid is too coarse or too small for an image.

    Example:
        >>> from vaebook import datasets, recipes
        >>> model, images = recipes.load("digits-mlp-2d").model, datasets.digits()[:20]
        >>> exact, bound = log_evidence_grid(model, images), elbo(model, images, 100).elbo
        >>> bool((exact > bound).all())
        True
    """
    _checks.count(size, "size", 2)
    _checks.number(extent, "extent", 0, 1e6, open=True)
    _checks.instance(model, "model", VAE)
    if model.latent_dim > 2:
        raise ValueError(f"model must have latent_dim 1 or 2 for a grid, got {model.latent_dim}")
    if model.n_classes:
        raise ValueError(f"model must not be conditional, got n_classes = {model.n_classes}")
    place = next(model.parameters(), torch.empty(0))  # networks may be without weights
    axis = torch.linspace(-extent, extent, size, dtype=place.dtype, device=place.device)
    parts = []
    with evaluating(model):
        for batch in _batches(model, images, 2 * _BATCH):
            if model.prior.condition(batch) is not None:
                raise ValueError("model must have one prior for all images, for a grid")
            parts.append(_integrate(model, batch.images, axis))
    totals, errors = (_joined(part, images) for part in zip(*parts, strict=True))
    if bool((errors > _DOUBT).any()):
        raise ValueError(
            f"size must be more than {size}, or extent than {extent:g}: the posterior of image "
            f"{int(errors.argmax())} is too narrow for this grid, or lies beyond it"
        )
    return totals


def _integrate(model: VAE, images: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p(x) and by how much it may be off, each [N], nats."""
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    highest, sums, beyond = _scan(model, images, axis)
    total = sums.logsumexp(1) + model.latent_dim * step.log()
    errors = _errors(sums, model.latent_dim)
    narrow = errors > _CLEAR
    if bool(narrow.any()):
        fine = _refine(model, images[narrow], axis, step, highest[narrow])
        total[narrow] = fine.logsumexp(1) + model.latent_dim * (step / _FINER).log()
        errors[narrow] = _errors(fine, model.latent_dim)
    return total, errors.masked_fill(beyond, math.inf)


def _errors(sums: Tensor, dim: int) -> Tensor:
    """Estimate the errors of sums over a lattice from those over every fourth point, [N], nats.

    A lattice misses an integral by what its Fourier transform has at the frequency 1 / step. The
    sums of every fourth point tell what there is at a fourth of it, and for a Gaussian that is
    the sixteenth root of the other.

    Args:
        sums: logarithms, by the place of a point modulo 4 in each dimension, [N, 4^D].
        dim: the number of latent dimensions, D.
    """
    shares = sums.softmax(1).unflatten(1, (4,) * dim)
    spectrum = torch.fft.fftn(shares, dim=list(range(1, dim + 1))).abs().flatten(1)
    return (2 * spectrum[:, 1:].amax(1) ** 16).nan_to_num(math.inf)


def _joint(model: VAE, images: Tensor, points: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield log p(x, z) of all images at some of the points, [N, M], and where these start."""
    for start in range(0, len(points), 4096):
        z = points[start : start + 4096]
        log_likelihood = model.likelihood.log_prob_pairs(model.outputs(z), images)
        yield start, log_likelihood + model.prior.log_prob(z)


def _scan(model: VAE, images: Tensor, axis: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the highest log p(x, z) met, [N], the log sums of every fourth point, [N, 4^D], and
    whether much of an image's mass lies at the edge, [N]."""
    dim = model.latent_dim
    fourth = torch.arange(len(axis), device=axis.device) % 4
    kinds = (_product(fourth, dim) * _strides(4, dim, axis)).sum(1)
    points = _product(axis, dim)
    at_edge = (points.abs() >= axis[-1]).any(1)
    # The mean of q is a good first guess of how high an image's posterior is.
    mu = model.encode(images)[0]
    highest = model.log_prob(images, mu) + model.prior.log_prob(mu)
    top = edge = torch.full_like(highest, -math.inf)
    sums = highest.new_full((len(images), 4**dim), -math.inf)
    for start, joint in _joint(model, images, points):
        part = slice(start, start + joint.shape[1])
        top = torch.maximum(top, joint.amax(1))
        edge = torch.maximum(edge, joint.masked_fill(~at_edge[part], -math.inf).amax(1))
        for kind in range(4**dim):
            same = joint[:, kinds[part] == kind]
            sums[:, kind] = torch.logaddexp(sums[:, kind], same.logsumexp(1))
    return torch.maximum(highest, top), sums, edge > top - _EDGE


def _refine(model: VAE, images: Tensor, axis: Tensor, step: Tensor, highest: Tensor) -> Tensor:
    """Return the log sums of every fourth point of a finer grid in cells with mass, [N, 4^D]."""
    dim = model.latent_dim
    shape = (len(axis),) * dim
    cells, rows = _with_mass(model, images, axis, highest)
    within = ((torch.arange(_FINER, device=axis.device) + 0.5) / _FINER - 0.5) * step
    within = _product(within, dim)
    sums = highest.new_zeros(len(images), len(within))
    # Neighbours in memory share a decoded block; each image looks at its own cells only.
    cells, order = cells.sort()
    found, counts = cells.unique_consecutive(return_counts=True)
    groups = rows[order].split(counts.tolist())
    for start in range(0, len(found), _BLOCK):
        block = found[start : start + _BLOCK]
        z = axis[torch.stack(torch.unravel_index(block, shape), 1)][:, None] + within
        outputs = model.outputs(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        log_prior = model.prior.log_prob(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        for row, of_cell, prior in zip(
            groups[start : start + _BLOCK], outputs, log_prior, strict=True
        ):
            joint = model.likelihood.log_prob_pairs(of_cell, images[row]) + prior
            # Sums of thousands of cells, taken in logarithms one by one, would lose digits.
            sums[row] += (joint - highest[row, None]).exp()
    return highest[:, None] + sums.log()


def _with_mass(model: VAE, images: Tensor, axis: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cells in which images have mass, [M], and which images, [M]; neighbours too."""
    shape = (len(axis),) * model.latent_dim
    points = _product(axis, len(shape))
    found = []
    for start, joint in _joint(model, images, points):
        row, column = (joint > highest[:, None] - _FAINT).nonzero(as_tuple=True)
        found.append((row, start + column))
    rows, cells = (torch.cat(part) for part in zip(*found, strict=True))
    places = torch.stack(torch.unravel_index(cells, shape), 1)
    near = places[:, None] + _product(torch.arange(-1, 2, device=axis.device), len(shape))
    inside = ((near >= 0) & (near < len(axis))).all(2)
    cell = (near * _strides(len(axis), len(shape), axis)).sum(2)
    key = rows[:, None] * len(points) + cell
    key = key[inside].unique()
    return key % len(points), key // len(points)


def _strides(size: int, dim: int, like: Tensor) -> Tensor:
    return torch.tensor([size**power for power in reversed(range(dim))], device=like.device)


def _product(axis: Tensor, dimensions: int) -> Tensor:
    return torch.cartesian_prod(*[axis] * dimensions).reshape(-1, dimensions)


def reconstruction_errors(model: Autoencoder | VAE, images: Tensor | ImageSet) -> Tensor:
    r"""Return the Frobenius norm :math:`\|x - \hat x\|` of each image, [N], in pixels.

    A VAE decodes the mean of q(z|x).

    Example:
        >>> from vaebook import datasets, recipes
        >>> model = recipes.load("digits-mlp-2d").model
        >>> reconstruction_errors(model, datasets.digits()[:20]).shape
        torch.Size([20])
    """
    _checks.instance(model, "model", VAE, Autoencoder)
    errors = []
    with evaluating(model):
        for batch in _batches(model, images, _BATCH):
            decoded = model.decode(model.codes(batch).mu, _told(model, batch))
            errors.append((batch.images - decoded).flatten(1).norm(dim=1))
    return _joined(errors, images)


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    r"""Tell which latent dimensions depend on the image, bool [D].

    A dimension is active when :math:`\operatorname{Var}_x(\mu_j(x))` exceeds the threshold.

    Args:
        mu: posterior means over a data set, [N, D], N > 1.
        threshold: in squared latent units.

    Raises:
        ValueError: when there are fewer than two images or a mean isn't finite.

    Source:
        Importance Weighted Autoencoders (Burda, Grosse and Salakhutdinov, 2016), section 5.2 |
        https://arxiv.org/abs/1509.00519

    Example:
        >>> active_units(torch.tensor([[0.0, 1.0], [0.0, -1.0]]))
        tensor([False,  True])
    """
    _checks.floats(mu, "mu", ("N", "D"))
    _checks.number(threshold, "threshold", 0)
    if len(mu) < 2:
        raise ValueError(f"mu must be [N, D] with N > 1, got {list(mu.shape)}")
    return mu.var(dim=0) > threshold


def kl_parts(
    mu: Tensor, logvar: Tensor, n_samples: int = 2000, generator: Generator | None = None
) -> KlParts:
    r"""Tell which part of the KL is information, which dependence, and which a misfit.

    .. math:: \frac1N \sum_n \mathrm{KL}(q_n \,\|\, p)
        = \underbrace{\mathbb{E} \log \frac{q(z|x)}{q(z)}}_{I(x; z)}
        + \underbrace{\mathbb{E} \log \frac{q(z)}{\prod_j q(z_j)}}_{\text{total correlation}}
        + \sum_j \underbrace{\mathbb{E} \log \frac{q(z_j)}{p(z_j)}}_{\text{dimension-wise}}

    with p = N(0, I) and q(z) the mixture of all N codes, in which nothing but the expectation is
    estimated: a minibatch in place of the mixture would be biased.

    Args:
        mu: means, [N, D].
        logvar: log-variances, [N, D].
        n_samples: draws of the mixture, by which the expectations are estimated.
        generator: source of the draws.

    Raises:
        ValueError: when the shapes differ, a value or a draw isn't finite, or `n_samples` < 1.

    Source:
        Isolating Sources of Disentanglement in Variational Autoencoders (Chen et al., 2018),
        equation 2 | https://arxiv.org/abs/1802.04942

    Example:
        >>> far = torch.tensor([[-9.0, -9.0], [9.0, 9.0]])
        >>> parts = kl_parts(far, torch.zeros(2, 2))
        >>> [round(part.item(), 2) for part in parts[:2]]  # one bit, in both dimensions
        [0.69, 0.69]
    """
    _checks.floats(mu, "mu", ("N", "D"))
    _checks.floats(logvar, "logvar", tuple(mu.shape))
    _checks.same_device(mu=mu, logvar=logvar)
    _checks.count(n_samples, "n_samples")
    n, dim = mu.shape
    chosen = (_checks.rand((n_samples,), mu, generator) * n).long().clamp_max(n - 1)
    noise = _checks.randn((n_samples, dim), mu, generator)
    z = torch.addcmul(mu[chosen], (0.5 * logvar[chosen]).exp(), noise)
    if not bool(z.isfinite().all()):
        raise ValueError(f"logvar must give finite draws, got up to {logvar.max().item():g}")
    # From the noise: a narrow draw minus its mean is rounding.
    own = _log_normal(noise, torch.zeros_like(z), torch.zeros_like(z)) - 0.5 * logvar[chosen]
    whole, each = [], []
    size = max(1, _PAIRS // (n * dim))
    for block, source, known in zip(
        z.split(size), chosen.split(size), own.split(size), strict=True
    ):
        joint = _log_normal(block[:, None], mu, logvar)  # [M, N, D]
        joint[torch.arange(len(block)), source] = known
        whole.append(joint.sum(2).logsumexp(1) - math.log(n))
        each.append(joint.logsumexp(1) - math.log(n))
    log_q, log_q_each = torch.cat(whole), torch.cat(each)
    prior = _log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
    return KlParts(
        (own.sum(1) - log_q).mean(),
        (log_q - log_q_each.sum(1)).mean(),
        (log_q_each - prior).sum(1).mean(),
    )


def _log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the log density of each dimension."""
    return -0.5 * ((z - mu).square() / logvar.exp() + logvar + math.log(2 * math.pi))


def _told(model: Autoencoder | VAE, batch: ImageSet) -> Tensor | None:
    """Return the labels where the decoder is told them."""
    return batch.labels if getattr(model, "n_classes", 0) else None


def _batches(model: Autoencoder | VAE, images: Tensor | ImageSet, size: int) -> Iterator[ImageSet]:
    """Yield parts of the images on the model's device, in single precision as sets hold them."""
    if isinstance(images, Tensor):
        model.likelihood.check(images)
        images = ImageSet(images.float(), in_unit_range=False)
    elif isinstance(images, ImageSet):
        model.likelihood.check(images.images)
    else:
        raise ValueError(f"images must be a tensor or an ImageSet, got {type(images).__name__}")
    device = next(model.parameters(), images.images).device
    # A generator of its own, so that images are refused before the first is asked for.
    return (images[start : start + size].to(device) for start in range(0, len(images), size))


def _joined(parts: list[Tensor] | tuple[Tensor, ...], images: Tensor | ImageSet) -> Tensor:
    pixels = images.images if isinstance(images, ImageSet) else images
    return torch.cat(list(parts)).to(pixels.device)
