"""What a trained model is worth: the ELBO, log p(x), reconstruction errors, active units."""

__all__ = [
    "Elbo",
    "active_units",
    "elbo",
    "encode",
    "log_likelihood",
    "log_likelihood_grid",
    "reconstruction_errors",
]

import math
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.std import tqdm

from vaebook.models import VAE, Autoencoder
from vaebook.objectives import kl_divergence

_LOG_TWO_PI = math.log(2 * math.pi)


class Elbo(NamedTuple):
    """The ELBO of each image and its parts, each [N], nats: `elbo = log_likelihood - kl`."""

    elbo: Tensor
    log_likelihood: Tensor
    kl: Tensor


@torch.no_grad()
def encode(model: VAE, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mu and logvar of q(z|x), each [N, D], a thousand images at a time."""
    parts = [model.encode(batch) for batch in images.split(1000)]
    return torch.cat([mu for mu, _ in parts]), torch.cat([logvar for _, logvar in parts])


@torch.no_grad()
def elbo(
    model: VAE, images: Tensor, n_samples: int = 1, generator: torch.Generator | None = None
) -> Elbo:
    r"""Estimate the ELBO; the KL exactly, E log p(x|z) by the mean over samples of q(z|x).

    Args:
        model: in eval mode.
        images: [N, 1, H, W].
        n_samples: samples of z an image.
        generator: source of z's noise.

    Raises:
        ValueError: when `n_samples` < 1.
    """
    _check_samples(n_samples)
    log_likelihoods, kls = [], []
    for batch in images.split(1000):
        mu, logvar = model.encode(batch)
        kls.append(kl_divergence(mu, logvar))
        draws = [model.reparameterize(mu, logvar, generator) for _ in range(n_samples)]
        log_likelihoods.append(
            torch.stack([model.log_likelihood(batch, z) for z in draws]).mean(0)
        )
    log_likelihood, kl = torch.cat(log_likelihoods), torch.cat(kls)
    return Elbo(log_likelihood - kl, log_likelihood, kl)


@torch.no_grad()
def log_likelihood(
    model: VAE,
    images: Tensor,
    n_samples: int,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> Tensor:
    r"""Estimate log p(x) by importance sampling from q(z|x), [N], nats.

    .. math:: \log \frac1K \sum_{k=1}^K \frac{p(x|z_k)\,p(z_k)}{q(z_k|x)},
        \quad z_k \sim q(z|x)

    A lower bound in expectation that rises with K. Where q is much narrower than the posterior it
    stays nats below even for thousands of samples; in up to two dimensions
    :func:`log_likelihood_grid` is exact and cheaper.

    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders (2016), equation 8.

    Args:
        model: in eval mode.
        images: [N, 1, H, W].
        n_samples: K.
        generator: source of z's noise.
        progress: show a bar on standard error.

    Raises:
        ValueError: when `n_samples` < 1.
    """
    _check_samples(n_samples)
    # About 8,000 decoded images at a time stay in the cache of a laptop's processor.
    rows = max(1, 8000 // n_samples)
    draws = min(n_samples, 8000)
    # Made at once: small results kept between large temporaries fragment the heap by gigabytes.
    totals = images.new_full((len(images),), -math.inf)
    for first in tqdm(range(0, len(images), rows), disable=not progress):
        part = slice(first, first + rows)
        mu, logvar = model.encode(images[part])
        for start in range(0, n_samples, draws):
            k = min(draws, n_samples - start)
            weights = _log_weights(model, images[part], mu, logvar, k, generator)
            totals[part] = torch.logaddexp(totals[part], weights)
    return totals - math.log(n_samples)


def _log_weights(
    model: VAE,
    images: Tensor,
    mu: Tensor,
    logvar: Tensor,
    k: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Return the log of the sum of k importance weights of each image, [N]."""
    noise = torch.randn((len(mu), k, mu.shape[1]), generator=generator)
    z = mu[:, None] + (0.5 * logvar).exp()[:, None] * noise
    # log p(z) - log q(z|x): the constants cancel.
    log_ratio = 0.5 * (noise.square() - z.square() + logvar[:, None]).sum(-1)
    repeated = images.repeat_interleave(k, dim=0)
    log_p = model.log_likelihood(repeated, z.flatten(0, 1)).unflatten(0, (-1, k))
    return torch.logsumexp(log_p + log_ratio, dim=1)


@torch.no_grad()
def log_likelihood_grid(
    model: VAE, images: Tensor, size: int = 201, extent: float = 6.0
) -> Tensor:
    r"""Integrate log p(x) over a grid in latent space, [N], nats; for one or two dimensions.

    .. math:: \log \sum_g h^D\, p(x|z_g)\, p(z_g)

    Args:
        model: with latent_dim 1 or 2, in eval mode.
        images: [N, 1, H, W].
        size: grid points a dimension, spaced h apart.
        extent: the grid covers [-extent, extent].

    Raises:
        ValueError: when the model has more than two latent dimensions or there is no grid.
    """
    if model.latent_dim > 2:
        raise ValueError(f"a grid needs latent_dim 1 or 2, got {model.latent_dim}")
    if size < 2 or not extent > 0:
        raise ValueError(f"size must be at least 2 and extent positive, got {size} and {extent}")
    axis = torch.linspace(-extent, extent, size)
    grid = torch.cartesian_prod(*[axis] * model.latent_dim).reshape(-1, model.latent_dim)
    cell = model.latent_dim * math.log(2 * extent / (size - 1))
    totals = torch.full((len(images),), -math.inf)
    for z in grid.split(4096):
        log_prior = -0.5 * (z.square() + _LOG_TWO_PI).sum(1)
        outputs = model.decoder(z)
        for start in range(0, len(images), 2000):
            part = slice(start, start + 2000)
            joint = model.likelihood.log_prob_pairs(outputs, images[part]) + log_prior
            totals[part] = torch.logaddexp(totals[part], joint.logsumexp(1))
    return totals + cell


@torch.no_grad()
def reconstruction_errors(model: Autoencoder | VAE, images: Tensor) -> Tensor:
    r"""Return the Frobenius norm :math:`\|x - \hat x\|` of each image, [N], in pixels.

    A VAE decodes the mean of q(z|x).
    """
    errors = []
    for batch in images.split(1000):
        z = model.encode(batch)[0] if isinstance(model, VAE) else model.encode(batch)
        errors.append((batch - model.decode(z)).flatten(1).norm(dim=1))
    return torch.cat(errors)


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    r"""Tell which latent dimensions depend on the image, bool [D].

    A dimension is active when :math:`\operatorname{Var}_x(\mu_j(x))` exceeds the threshold.

    Source: Burda, Grosse and Salakhutdinov (2016), section 5.2.

    Args:
        mu: posterior means over a data set, [N, D], N > 1.
        threshold: in squared latent units.

    Raises:
        ValueError: when there are fewer than two images.
    """
    if mu.ndim != 2 or len(mu) < 2:
        raise ValueError(f"mu must be [N, D] with N > 1, got {list(mu.shape)}")
    return mu.var(dim=0) > threshold


def _check_samples(n_samples: int) -> None:
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}")
