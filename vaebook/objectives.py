r"""The KL terms, the ELBO and its variants, in nats per image; the mean is taken outside.

An objective takes a model, images and a generator, one for classifiers labels as well, and returns
tensors [N] by name. `loss` is what training minimises, the others are recorded.
"""

__all__ = [
    "Objective",
    "anchored",
    "conditional_elbo",
    "cross_entropy",
    "elbo",
    "gaussian_kl",
    "kl_divergence",
    "reconstruction_only",
    "with_class",
]

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# Called as objective(model, images, generator=...), with labels=... where fit is told so.
Objective = Callable[..., dict[str, Tensor]]


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Return the KL divergence of a diagonal Gaussian from N(0, I), [N], nats.

    .. math:: \mathrm{KL} = \tfrac12 \sum_j \left(\mu_j^2 + e^{\mathrm{logvar}_j} - 1
        - \mathrm{logvar}_j\right)

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2014), appendix B.

    Args:
        mu: means, [N, D].
        logvar: log-variances, [N, D].

    Raises:
        ValueError: when the shapes differ.
    """
    if mu.shape != logvar.shape:
        raise ValueError(
            f"mu and logvar must have one shape, got {list(mu.shape)} and {list(logvar.shape)}"
        )
    # expm1 keeps the digits of a posterior that is all but the prior.
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar).sum(-1)


def gaussian_kl(mu_q: Tensor, cov_q: Tensor, mu_p: Tensor, cov_p: Tensor) -> Tensor:
    r"""Return KL(N(mu_q, cov_q) || N(mu_p, cov_p)) for full covariances, nats.

    .. math:: \tfrac12 \left(\operatorname{tr}(\Sigma_p^{-1}\Sigma_q)
        + (\mu_p - \mu_q)^\top \Sigma_p^{-1} (\mu_p - \mu_q) - D
        + \log\frac{\det\Sigma_p}{\det\Sigma_q}\right)

    Source: derived in the book's chapter on the ELBO.

    Args:
        mu_q: [..., D].
        cov_q: symmetric positive definite, [..., D, D].
        mu_p: [..., D].
        cov_p: symmetric positive definite, [..., D, D].

    Returns:
        [...], the batch shapes broadcast.

    Raises:
        ValueError: when a shape doesn't fit or a covariance isn't positive definite.
    """
    dim = mu_q.shape[-1]
    for name, mean, cov in (("q", mu_q, cov_q), ("p", mu_p, cov_p)):
        if mean.shape[-1] != dim or cov.shape[-2:] != (dim, dim):
            raise ValueError(
                f"mu_{name} must be [..., {dim}] and cov_{name} [..., {dim}, {dim}], "
                f"got {list(mean.shape)} and {list(cov.shape)}"
            )
    root_q = _cholesky(cov_q, "cov_q")
    root_p = _cholesky(cov_p, "cov_p")
    scaled = torch.linalg.solve_triangular(root_p, root_q, upper=False)
    shift = torch.linalg.solve_triangular(root_p, (mu_p - mu_q)[..., None], upper=False)
    log_det = _half_log_det(root_p) - _half_log_det(root_q)
    squares = scaled.square().sum((-2, -1)) + shift.square().sum((-2, -1))
    return 0.5 * (squares - dim) + log_det


def _cholesky(cov: Tensor, name: str) -> Tensor:
    size = cov.abs()
    tolerance = 1e-4 * size + 1e-6 * size.amax((-2, -1), keepdim=True)
    if not bool(((cov - cov.mT).abs() <= tolerance).all()):  # NaN is not symmetric either
        raise ValueError(f"{name} must be symmetric, got {cov}")
    root, info = torch.linalg.cholesky_ex(cov)
    if bool((info != 0).any()):
        raise ValueError(f"{name} must be positive definite, got {cov}")
    return root


def _half_log_det(root: Tensor) -> Tensor:
    return root.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def elbo(
    model: Any,
    images: Tensor,
    beta: float = 1.0,
    *,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    r"""Estimate the negative ELBO with one sample of z an image.

    .. math:: \mathrm{loss} = -\log p(x|z) + \beta\,\mathrm{KL}(q(z|x)\,\|\,N(0, I)),
        \quad z \sim q(z|x)

    Both terms are sums over pixels and over latent dimensions. `beta` = 1 is the ELBO; a mean
    over pixels in place of the sum would be a hidden `beta` of as many as there are pixels.

    Source: Kingma and Welling (2014), equation 10; beta: Higgins et al., beta-VAE (2017),
    equation 4.

    Args:
        model: a :class:`vaebook.models.VAE`.
        images: [N, 1, H, W].
        beta: weight of the KL.
        generator: source of z's noise.

    Returns:
        `loss`, `reconstruction` (:math:`-\log p(x|z)`) and `kl`, each [N], nats.
    """
    mu, logvar = model.encode(images)
    z = model.reparameterize(mu, logvar, generator)
    reconstruction = -model.log_likelihood(images, z)
    kl = kl_divergence(mu, logvar)
    return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}


def anchored(
    model: Any,
    images: Tensor,
    rate: float,
    score: Callable[[Tensor], Tensor],
    *,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    r"""Estimate the negative ELBO under a prior whose mean depends on a score c(x) of the image.

    .. math:: \mathrm{loss} = -\log p(x|z)
        + \mathrm{KL}\left(q(z|x)\,\|\,N(-r\,c(x)\,\mathbf 1, I)\right), \quad z \sim q(z|x)

    A positive score pulls towards negative coordinates, in all dimensions alike. The KL equals
    that of :math:`N(\mu + r\,c\,\mathbf 1, \Lambda)` from N(0, I).

    Args:
        model: a :class:`vaebook.models.VAE`.
        images: [N, 1, H, W].
        rate: r, in latent units a unit of the score; 0 is the plain ELBO.
        score: maps images to c(x), [N].
        generator: source of z's noise.

    Returns:
        `loss`, `reconstruction` (:math:`-\log p(x|z)`) and `kl`, each [N], nats; the KL is from
        the conditional prior.
    """
    mu, logvar = model.encode(images)
    z = model.reparameterize(mu, logvar, generator)
    reconstruction = -model.log_likelihood(images, z)
    kl = kl_divergence(mu + rate * score(images)[:, None], logvar)
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


def with_class(z: Tensor, labels: Tensor, n_classes: int = 10) -> Tensor:
    """Append the class of each image to its code as a one-hot vector, [N, D + C].

    Args:
        z: codes, [N, D].
        labels: [N], integers from 0.
        n_classes: C.

    Raises:
        ValueError: when there are not as many labels as codes, or one is none of the classes.
    """
    if labels.shape != z.shape[:1]:
        raise ValueError(f"labels must be [{len(z)}], one a code, got {list(labels.shape)}")
    if len(labels) and not bool((labels >= 0).all() and (labels < n_classes).all()):
        found = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(f"labels must lie in 0 to {n_classes - 1}, got {found}")
    return torch.cat([z, F.one_hot(labels, n_classes).to(z.dtype)], dim=1)


def conditional_elbo(
    model: Any, images: Tensor, *, labels: Tensor, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    r"""Estimate the negative ELBO of a conditional VAE, a bound of :math:`-\log p(x|c)`.

    .. math:: \mathrm{loss} = -\log p(x|z, c) + \mathrm{KL}(q(z|x)\,\|\,N(0, I)),
        \quad z \sim q(z|x)

    The decoder is told the class as :func:`with_class` appends it; its width says how many
    classes there are. The encoder sees the image, and needs no more.

    Source: Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional
    Generative Models (2015).

    Args:
        model: a :class:`vaebook.models.VAE` whose decoder takes D + C numbers.
        images: [N, 1, H, W].
        labels: [N].
        generator: source of z's noise.

    Returns:
        `loss`, `reconstruction` and `kl`, each [N], nats.
    """
    mu, logvar = model.encode(images)
    z = model.reparameterize(mu, logvar, generator)
    n_classes = model.decoder.latent_dim - model.latent_dim
    reconstruction = -model.log_likelihood(images, with_class(z, labels, n_classes))
    kl = kl_divergence(mu, logvar)
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


def reconstruction_only(
    model: Any, images: Tensor, *, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    r"""Return the autoencoder's loss :math:`-\log p(x\,|\,z = e(x))` as `loss`, [N], nats."""
    return {"loss": -model.log_likelihood(images, model.encode(images))}


def cross_entropy(
    model: Any, images: Tensor, *, labels: Tensor, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    r"""Return a classifier's loss :math:`-\log p(c|x)` as `loss`, [N], nats."""
    return {"loss": F.cross_entropy(model(images), labels, reduction="none")}
