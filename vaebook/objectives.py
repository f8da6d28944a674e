r"""KL terms, and the objectives that :func:`vaebook.training.fit` minimises, in nats per image.

An objective is called as `objective(model, batch, generator=..., progress=...)`: the batch is an
:class:`~vaebook.datasets.ImageSet`, so it has its labels, and `progress` is the share of the
training that is done, in [0, 1]. It returns tensors [N] by name; `loss` is what training
minimises the mean of, the others are recorded.
"""

__all__ = [
    "Objective",
    "cross_entropy",
    "gaussian_kl",
    "kl_divergence",
    "kl_per_latent",
    "negative_elbo",
    "reconstruction_only",
]

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Autoencoder, Classifier


class Objective(Protocol):
    """Anything that can be called like the objectives of this module."""

    def __call__(
        self, model: Any, batch: ImageSet, *, generator: Generator | None, progress: float
    ) -> dict[str, Tensor]: ...


def kl_per_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Return the KL divergence from N(0, 1) of each latent, [N, D], nats.

    .. math:: \tfrac12 \left(\mu_j^2 + e^{\mathrm{logvar}_j} - 1 - \mathrm{logvar}_j\right)

    Args:
        mu: means, [N, D].
        logvar: log-variances, [N, D].

    Raises:
        ValueError: when the shapes differ or a value isn't finite.

    Source:
        Auto-Encoding Variational Bayes (Kingma and Welling, 2014), appendix B |
        https://arxiv.org/abs/1312.6114

    Example:
        >>> kl_per_latent(torch.tensor([[0.0, 2.0]]), torch.zeros(1, 2))
        tensor([[0., 2.]])
    """
    _checks.floats(mu, "mu", ("N", "D"))
    _checks.floats(logvar, "logvar", tuple(mu.shape))
    _checks.same_device(mu=mu, logvar=logvar)
    # expm1 keeps the digits of a posterior that is all but the prior.
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar)


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Return the KL divergence of a diagonal Gaussian from N(0, I), [N], nats.

    .. math:: \mathrm{KL} = \tfrac12 \sum_j \left(\mu_j^2 + e^{\mathrm{logvar}_j} - 1
        - \mathrm{logvar}_j\right)

    Args:
        mu: means, [N, D].
        logvar: log-variances, [N, D].

    Raises:
        ValueError: when the shapes differ or a value isn't finite.

    Source:
        Auto-Encoding Variational Bayes (Kingma and Welling, 2014), appendix B |
        https://arxiv.org/abs/1312.6114

    Example:
        >>> kl_divergence(torch.ones(1, 2), torch.zeros(1, 2))
        tensor([1.])
    """
    return kl_per_latent(mu, logvar).sum(1)


def gaussian_kl(mu_q: Tensor, cov_q: Tensor, mu_p: Tensor, cov_p: Tensor) -> Tensor:
    r"""Return KL(N(mu_q, cov_q) || N(mu_p, cov_p)) for full covariances, nats.

    .. math:: \tfrac12 \left(\operatorname{tr}(\Sigma_p^{-1}\Sigma_q)
        + (\mu_p - \mu_q)^\top \Sigma_p^{-1} (\mu_p - \mu_q) - D
        + \log\frac{\det\Sigma_p}{\det\Sigma_q}\right)

    In float64, as correlations near 1 leave few digits.

    Args:
        mu_q: [..., D].
        cov_q: symmetric positive definite, [..., D, D].
        mu_p: [..., D].
        cov_p: symmetric positive definite, [..., D, D].

    Returns:
        [...], the batch shapes broadcast.

    Raises:
        ValueError: when a shape doesn't fit or a covariance isn't positive definite.

    Source:
        Derived in the book's chapter on the ELBO.

    Example:
        >>> one = torch.eye(1)
        >>> gaussian_kl(torch.ones(1), one, torch.zeros(1), one)
        tensor(0.5000)
    """
    _checks.floats(mu_q, "mu_q", ("...", "D"))
    dim = mu_q.shape[-1]
    _checks.floats(cov_q, "cov_q", ("...", dim, dim))
    _checks.floats(mu_p, "mu_p", ("...", dim))
    _checks.floats(cov_p, "cov_p", ("...", dim, dim))
    _checks.same_device(mu_q=mu_q, cov_q=cov_q, mu_p=mu_p, cov_p=cov_p)
    try:
        torch.broadcast_shapes(
            mu_q.shape[:-1], mu_p.shape[:-1], cov_q.shape[:-2], cov_p.shape[:-2]
        )
    except RuntimeError:
        shapes = ", ".join(str(list(t.shape)) for t in (mu_q, cov_q, mu_p, cov_p))
        raise ValueError(f"mu_q, cov_q, mu_p, cov_p must broadcast, got {shapes}") from None
    dtype = mu_q.dtype
    mu_q, mu_p = _checks.double(mu_q), _checks.double(mu_p)
    root_q = _checks.cholesky(cov_q, "cov_q")
    root_p = _checks.cholesky(cov_p, "cov_p")
    scaled = torch.linalg.solve_triangular(root_p, root_q, upper=False)
    shift = torch.linalg.solve_triangular(root_p, (mu_p - mu_q)[..., None], upper=False)
    log_det = _half_log_det(root_p) - _half_log_det(root_q)
    squares = scaled.square().sum((-2, -1)) + shift.square().sum((-2, -1))
    return (0.5 * (squares - dim) + log_det).to(cov_q.device, dtype)


def _half_log_det(root: Tensor) -> Tensor:
    return root.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def negative_elbo(
    model: VAE,
    batch: ImageSet,
    *,
    beta: float | Callable[[float], float] = 1.0,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Estimate the negative ELBO with one sample of z per image.

    .. math:: \mathrm{loss} = -\log p(x|z) + \beta\,\mathrm{KL}(q(z|x)\,\|\,p(z)),
        \quad z \sim q(z|x)

    Both terms are sums, over pixels and over latent dimensions. `beta` = 1 is the ELBO; a mean
    over pixels in place of the sum would be a hidden `beta` of as many as there are pixels. The
    prior is the model's own: with one that depends on the image or its class, or a decoder that
    is told the class, it is the ELBO of that model.

    Args:
        model: a :class:`vaebook.models.VAE`.
        batch: images, with the labels that the model needs.
        beta: weight of the KL, or a function that maps the progress to it.
        generator: source of z's noise.
        progress: share of the training that is done.

    Returns:
        `loss`, `reconstruction` (:math:`-\log p(x|z)`) and `kl`, each [N], nats, and the
        likelihood's own statistics.

    Raises:
        ValueError: when the batch doesn't fit the model.

    Source:
        Auto-Encoding Variational Bayes (Kingma and Welling, 2014), equation 10 |
        https://arxiv.org/abs/1312.6114; beta-VAE (Higgins et al., 2017), equation 4 |
        https://openreview.net/forum?id=Sy2fzU9gl

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
        >>> batch = ImageSet(torch.rand(5, 1, 28, 28))
        >>> terms = negative_elbo(model, batch, beta=4.0)
        >>> torch.equal(terms["loss"], terms["reconstruction"] + 4 * terms["kl"])
        True
    """
    _check(model, VAE, batch)
    weight = beta(progress) if callable(beta) else beta
    _checks.number(weight, "beta", 0)
    mu, logvar = model.encode(batch.images)
    z = model.reparameterize(mu, logvar, generator)
    outputs = model.outputs(z, batch.labels if model.n_classes else None)
    reconstruction = -model.likelihood.log_prob(outputs, batch)
    kl = model.prior.kl(mu, logvar, model.prior.condition(batch), generator=generator)
    terms = {"loss": reconstruction + weight * kl, "reconstruction": reconstruction, "kl": kl}
    return terms | model.likelihood.statistics(outputs.detach(), batch.images)


def reconstruction_only(
    model: Autoencoder,
    batch: ImageSet,
    *,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Return the autoencoder's loss :math:`-\log p(x\,|\,z = e(x))` as `loss`, [N], nats.

    Arguments as for :func:`negative_elbo`.

    Example:
        >>> from vaebook.models import Gaussian
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = Autoencoder(MLPEncoder(2), MLPDecoder(2), 2, Gaussian())
        >>> terms = reconstruction_only(model, ImageSet(torch.rand(5, 1, 28, 28)))
        >>> terms["loss"].shape, list(terms)
        (torch.Size([5]), ['loss', 'mse'])
    """
    _check(model, Autoencoder, batch)
    outputs = model.outputs(model.encode(batch.images))
    loss = -model.likelihood.log_prob(outputs, batch)
    return {"loss": loss} | model.likelihood.statistics(outputs.detach(), batch.images)


def cross_entropy(
    model: Classifier,
    batch: ImageSet,
    *,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Return a classifier's loss :math:`-\log p(c|x)` as `loss`, [N], nats.

    Arguments as for :func:`negative_elbo`.

    Raises:
        ValueError: when the batch has no labels, or one that is no class of the model.

    Example:
        >>> from vaebook.models.networks import MLPEncoder
        >>> batch = ImageSet(torch.rand(5, 1, 28, 28), torch.tensor([0, 1, 0, 1, 1]))
        >>> cross_entropy(Classifier(MLPEncoder(8), 8, 2), batch)["loss"].shape
        torch.Size([5])
    """
    _check(model, Classifier, batch)
    if batch.labels is None:
        raise ValueError(f"batch must have labels to be classified, but {batch.title} has none")
    logits = model(batch.images)
    if batch.labels.device.type != "meta" and batch.labels.max() >= logits.shape[1]:
        raise ValueError(
            f"labels must lie in 0 to {logits.shape[1] - 1}, got {int(batch.labels.max())}"
        )
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return {"loss": F.cross_entropy(logits, batch.labels, reduction="none")}


def _check(model: object, kind: type, batch: object) -> None:
    if not isinstance(model, kind):
        raise ValueError(f"model must be of the class {kind.__name__}, got {type(model).__name__}")
    if not isinstance(batch, ImageSet):
        raise ValueError(f"batch must be an ImageSet, got {type(batch).__name__}")
