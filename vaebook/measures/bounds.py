"""What a trained model is worth: the ELBO, log p(x), reconstruction errors, active units.

Images are a tensor [N, C, H, W] or an image set, whose labels a conditional model needs; they are
taken in single precision. A model in train mode is put in eval mode and back; results are on the
device of the images.
"""

__all__ = [
    "Elbo",
    "active_units",
    "elbo",
    "log_evidence",
    "log_evidence_grid",
    "reconstruction_errors",
]

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from tqdm.std import tqdm

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Autoencoder, evaluating

_BATCH = 1000
# About as many decoded images at a time stay in the cache of a laptop's processor.
_DECODED = 8000
_FAINT = 12.0  # nats below the highest point of a grid, where there is no mass to speak of
_FINER = 4  # points per dimension in a cell that has mass
_DOUBT = 1.2  # nats between grids of every second point, where all points are .01 nats off
_BLOCK = 256  # cells decoded at a time


class Elbo(NamedTuple):
    """The ELBO of each image and its parts, each [N], nats: `elbo = log_prob - kl`."""

    elbo: Tensor
    log_prob: Tensor
    kl: Tensor


def elbo(
    model: VAE,
    images: Tensor | ImageSet,
    n_samples: int = 1,
    generator: Generator | None = None,
) -> Elbo:
    r"""Estimate the ELBO: E log p(x|z) by the mean over samples of q(z|x), the KL by the prior.

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
    _check_vae(model)
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
    :func:`log_evidence_grid` is exact and cheaper.

    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders (2016), equation 8.

    Args:
        model: a VAE.
        images: [N, C, H, W].
        n_samples: K.
        generator: source of z's noise.
        progress: show a bar on standard error.

    Raises:
        ValueError: when `n_samples` < 1 or the images don't suit the model.
    """
    _check_vae(model)
    _checks.count(n_samples, "n_samples")
    rows = max(1, _DECODED // n_samples)
    batches = _batches(model, images, rows)
    totals = []
    with evaluating(model):
        for batch in tqdm(batches, total=-(-len(images) // rows), disable=not progress):
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
    r"""Integrate log p(x) over a grid in latent space, [N], nats; for one or two dimensions.

    .. math:: \log \sum_g h^D\, p(x|z_g)\, p(z_g)

    The cells in which an image has mass are cut four times finer in each dimension, as a posterior
    may be narrower than h; the rest lies 12 nats below the highest point and more. A standard
    deviation of h / 6 in any direction, .01 by default, is resolved to about .001 nats. An image
    whose posterior is narrower, or reaches beyond the grid, is refused.

    Args:
        model: a VAE with latent_dim 1 or 2, a prior that is one for all images, and a decoder
            that isn't told the class.
        images: [N, C, H, W].
        size: grid points per dimension, spaced h apart.
        extent: the grid covers [-extent, extent].

    Raises:
        ValueError: when the model has more than two latent dimensions, or a class or a prior for
            each image; when the grid is too coarse or too small for an image.
    """
    _checks.count(size, "size", 2)
    _checks.number(extent, "extent", 0, open=True)
    _check_vae(model)
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
    totals, doubts = (_joined(part, images) for part in zip(*parts, strict=True))
    if bool((doubts > _DOUBT).any()):
        raise ValueError(
            f"size must be more than {size}, or extent than {extent:g}: the posterior of image "
            f"{int(doubts.argmax())} is too narrow for this grid, or lies beyond it"
        )
    return totals


def _integrate(model: VAE, images: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p(x), [N], and how far the grids of every second point are apart, [N], nats.

    For a Gaussian posterior sums of the values at points s apart are right up to
    2 exp(-2 pi^2 sd^2 / s^2): d for those of every second point is d^4 / 8 for all together.
    """
    dim = model.latent_dim
    shape = (len(axis),) * dim
    cells, rows, beyond = _with_mass(model, images, axis, shape)
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    within = ((torch.arange(_FINER, device=axis.device) + 0.5) / _FINER - 0.5) * step
    within = _product(within, dim)
    sums = axis.new_full((len(images), 2**dim), -math.inf)
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
            # The points of a cell by row and column, even ones and odd ones.
            joint = joint.unflatten(1, (_FINER // 2, 2) * dim)
            joint = joint.logsumexp(list(range(1, 2 * dim, 2))).flatten(1)
            sums[row] = torch.logaddexp(sums[row], joint)
    doubts = (sums.amax(1) - sums.amin(1)).nan_to_num(math.inf)
    return sums.logsumexp(1) + dim * (step / _FINER).log(), doubts.masked_fill(beyond, math.inf)


def _with_mass(
    model: VAE, images: Tensor, axis: Tensor, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cells in which images have mass, [M], neighbours too, which images, [M], and
    for each image whether there is much at the edge of the grid, bool [N]."""
    points = _product(axis, len(shape))
    # The mean of q is a good first guess of how high an image's posterior is.
    highest = model.log_prob(images, z := model.encode(images)[0]) + model.prior.log_prob(z)
    candidates = []
    for start in range(0, len(points), 4096):
        part = points[start : start + 4096]
        joint = model.likelihood.log_prob_pairs(model.outputs(part), images)
        joint = joint + model.prior.log_prob(part)
        highest = torch.maximum(highest, joint.amax(1))
        row, column = (joint > highest[:, None] - _FAINT).nonzero(as_tuple=True)
        candidates.append((row, start + column, joint[row, column]))
    rows, cells, values = (torch.cat(part) for part in zip(*candidates, strict=True))
    kept = values > highest[rows] - _FAINT
    places = torch.stack(torch.unravel_index(cells[kept], shape), 1)
    at_edge = ((places == 0) | (places == len(axis) - 1)).any(1)
    much = values[kept] > highest[rows[kept]] - _FAINT / 2
    beyond = torch.zeros(len(images), dtype=torch.bool, device=axis.device)
    beyond[rows[kept][at_edge & much]] = True
    near = places[:, None] + _product(torch.arange(-1, 2, device=axis.device), len(shape))
    inside = ((near >= 0) & (near < len(axis))).all(2)
    strides = torch.tensor(
        [len(axis) ** power for power in reversed(range(len(shape)))], device=axis.device
    )
    cell = (near * strides).sum(2)
    key = rows[kept][:, None] * len(points) + cell
    key = key[inside].unique()
    return key % len(points), key // len(points), beyond


def _product(axis: Tensor, dimensions: int) -> Tensor:
    return torch.cartesian_prod(*[axis] * dimensions).reshape(-1, dimensions)


def reconstruction_errors(model: Autoencoder | VAE, images: Tensor | ImageSet) -> Tensor:
    r"""Return the Frobenius norm :math:`\|x - \hat x\|` of each image, [N], in pixels.

    A VAE decodes the mean of q(z|x).
    """
    errors = []
    with evaluating(model):
        for batch in _batches(model, images, _BATCH):
            decoded = model.decode(model.codes(batch).mu, _told(model, batch))
            errors.append((batch.images - decoded).flatten(1).norm(dim=1))
    return _joined(errors, images)


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    r"""Tell which latent dimensions depend on the image, bool [D].

    A dimension is active when :math:`\operatorname{Var}_x(\mu_j(x))` exceeds the threshold.

    Source: Burda, Grosse and Salakhutdinov (2016), section 5.2.

    Args:
        mu: posterior means over a data set, [N, D], N > 1.
        threshold: in squared latent units.

    Raises:
        ValueError: when there are fewer than two images or a mean isn't finite.

    Example:
        >>> active_units(torch.tensor([[0.0, 1.0], [0.0, -1.0]]))
        tensor([False,  True])
    """
    _checks.floats(mu, "mu", ("N", "D"))
    _checks.number(threshold, "threshold", 0)
    if len(mu) < 2:
        raise ValueError(f"mu must be [N, D] with N > 1, got {list(mu.shape)}")
    return mu.var(dim=0) > threshold


def _check_vae(model: object) -> None:
    if not isinstance(model, VAE):
        raise ValueError(f"model must be a VAE, got {type(model).__name__}")


def _told(model: Autoencoder | VAE, batch: ImageSet) -> Tensor | None:
    """Return the labels where the decoder is told them."""
    return batch.labels if getattr(model, "n_classes", 0) else None


def _batches(model: Autoencoder | VAE, images: Tensor | ImageSet, size: int) -> Iterator[ImageSet]:
    """Yield parts of the images on the model's device, in single precision as sets hold them."""
    if not isinstance(model, Autoencoder | VAE):
        raise ValueError(f"model must be a VAE or an Autoencoder, got {type(model).__name__}")
    if isinstance(images, Tensor):
        model.likelihood.check(images)
        images = ImageSet(images.float(), in_unit_range=False)
    elif isinstance(images, ImageSet):
        model.likelihood.check(images.images)
    else:
        raise ValueError(f"images must be a tensor or an ImageSet, got {type(images).__name__}")
    device = next(model.parameters(), images.images).device
    for start in range(0, len(images), size):
        yield images[start : start + size].to(device)


def _joined(parts: list[Tensor] | tuple[Tensor, ...], images: Tensor | ImageSet) -> Tensor:
    pixels = images.images if isinstance(images, ImageSet) else images
    return torch.cat(list(parts)).to(pixels.device)
