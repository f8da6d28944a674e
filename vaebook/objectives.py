r"""The KL terms, the ELBO and its variants, in nats per image; the mean is taken outside.

An objective takes a model, images and a generator, one for classifiers labels as well, and returns
tensors [N] by name. `loss` is what training minimises, the others are recorded.
"""

__all__ = [
    "Objective",
    "cross_entropy",
    "elbo",
    "gaussian_kl",
    "kl_divergence",
    "reconstruction_only",
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
