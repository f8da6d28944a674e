r"""KL terms, and the objectives that :func:`vaebook.training.fit` minimises, in nats per image.

An objective is called as `objective(model, batch, generator=..., progress=...)`: the batch is an
:class:`~vaebook.datasets.ImageSet`, so it has its labels, and `progress` is the share of the
training that is done, in [0, 1]. It returns tensors [N] by name; `loss` is what training
minimises the mean of, the others are recorded.
"""

__all__ = [
    "Objective",
    "beta_tc",
    "categorical_elbo",
    "cross_entropy",
    "dip",
    "gaussian_kl",
    "info_vae",
    "kl_divergence",
    "kl_per_latent",
    "negative_elbo",
    "quantized",
    "reconstruction_only",
]

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Autoencoder, Classifier, gradients
from vaebook.models.discrete import VQVAE, CategoricalVAE
from vaebook.models.priors import StandardNormal

_LOG_TWO_PI = math.log(2 * math.pi)


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

    .. math:: \tfrac12 \Big(&\operatorname{tr}(\Sigma_p^{-1}\Sigma_q)
        + (\mu_p - \mu_q)^\top \Sigma_p^{-1} (\mu_p - \mu_q) \\
        &- D + \log\frac{\det\Sigma_p}{\det\Sigma_q}\Big)

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
    seen = _encoded(model, batch, generator)
    loss = seen.reconstruction + weight * seen.kl
    return {"loss": loss, "reconstruction": seen.reconstruction, "kl": seen.kl} | seen.statistics


class _Encoded(NamedTuple):
    """A batch, encoded, drawn and decoded: codes [N, D], the two parts of the ELBO [N]."""

    mu: Tensor
    logvar: Tensor
    z: Tensor
    reconstruction: Tensor
    kl: Tensor
    statistics: dict[str, Tensor]


def _encoded(model: VAE, batch: ImageSet, generator: Generator | None) -> _Encoded:
    mu, logvar = model.encode(batch.images)
    z = model.reparameterize(mu, logvar, generator)
    outputs = model.outputs(z, batch.labels if model.n_classes else None)
    reconstruction = -model.likelihood.log_prob(outputs, batch)
    kl = model.prior.kl(mu, logvar, model.prior.condition(batch), generator=generator)
    statistics = model.likelihood.statistics(outputs.detach(), batch.images)
    return _Encoded(mu, logvar, z, reconstruction, kl, statistics)


def beta_tc(
    model: VAE,
    batch: ImageSet,
    *,
    n_images: int,
    beta: float = 1.0,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Estimate the negative ELBO in which the total correlation of the codes counts `beta` times.

    .. math:: \mathrm{loss} = -\log p(x|z) + \mathrm{KL}(q(z|x)\,\|\,p(z))
        + (\beta - 1)\,\log\frac{\hat q(z)}{\prod_j \hat q(z_j)}, \quad z \sim q(z|x)

    The mixture q of the codes of all N images is estimated from the M images of the batch: image
    i itself has its true share, and the others stand for all others,

    .. math:: \hat q(z_i) = \frac1N\,q(z_i|x_i)
        + \frac{N - 1}{N (M - 1)} \sum_{j \ne i} q(z_i|x_j),

    and the same in each dimension. That is the source's minibatch stratified sampling, averaged
    over which image of the batch stands in for the rest. In the mean over batches it is
    :math:`q(z_i)`, and for M = N it is that in each batch. Its logarithm is too small in the mean.
    Where codes are so narrow that no other one of the batch is near, the first term is all there
    is of :math:`\hat q(z_i)`, and the penalty is one on what each latent knows of the image,
    :math:`\sum_j I(x; z_j)` but for a constant, rather than on their dependence.

    (Minibatch weighted sampling, :math:`\frac{1}{NM} \sum_j q(z_i|x_j)`, gives image i a share
    of 1 / M of the sum in place of 1 / N, and is too small by :math:`\log N` for M = N. On codes
    of noisy heatmaps its total correlation was farther from that of all codes, and its gradient
    as good.)

    Args:
        model: a VAE whose prior is N(0, I).
        batch: images, two or more, with the labels that the model needs.
        n_images: N, of the whole training set.
        beta: weight of the total correlation; with 1 it is :func:`negative_elbo`.
        generator: source of z's noise.
        progress: share of the training that is done.

    Returns:
        `loss`, `reconstruction` and `kl` as of :func:`negative_elbo`; `mutual_information`,
        `total_correlation` and `dimension_wise`, the three parts of the KL as the batch sees them,
        of which the last has the prior in it; each [N], nats; and the likelihood's statistics.

    Raises:
        ValueError: when the batch doesn't fit the model or is a single image, `n_images` < 2,
            `beta` < 0, or the prior is not N(0, I).

    Source:
        Isolating Sources of Disentanglement in Variational Autoencoders (Chen et al., 2018), the
        objective with :math:`\alpha = \gamma = 1`, and minibatch stratified sampling as in its
        authors' code | https://arxiv.org/abs/1802.04942

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
        >>> batch = ImageSet(torch.rand(5, 1, 28, 28))
        >>> terms = beta_tc(model, batch, n_images=1000, beta=6.0)
        >>> expected = terms["reconstruction"] + terms["kl"] + 5 * terms["total_correlation"]
        >>> torch.equal(terms["loss"], expected)
        True
    """
    _check_aggregate(model, batch)
    _checks.count(n_images, "n_images", 2)
    _checks.number(beta, "beta", 0)
    seen = _encoded(model, batch, generator)
    pairs = _log_normal(seen.z[:, None], seen.mu, seen.logvar)  # [M, M, D]
    # Each image's own code has the share of one in the data set, the others have the rest.
    n = len(batch)
    shares = pairs.new_full((n, n), math.log((n_images - 1) / (n_images * (n - 1))))
    shares.fill_diagonal_(-math.log(n_images))
    log_q = (pairs.sum(2) + shares).logsumexp(1)
    log_q_each = (pairs + shares[..., None]).logsumexp(1).sum(1)
    log_own = pairs.diagonal().sum(0)
    log_prior = -0.5 * (seen.z.square() + _LOG_TWO_PI).sum(1)
    total_correlation = log_q - log_q_each
    return {
        "loss": seen.reconstruction + seen.kl + (beta - 1) * total_correlation,
        "reconstruction": seen.reconstruction,
        "kl": seen.kl,
        "mutual_information": log_own - log_q,
        "total_correlation": total_correlation,
        "dimension_wise": log_q_each - log_prior,
    } | seen.statistics


def _log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the log density of each dimension."""
    return -0.5 * ((z - mu).square() * (-logvar).exp() + logvar + _LOG_TWO_PI)


def dip(
    model: VAE,
    batch: ImageSet,
    *,
    off_diagonal: float,
    diagonal: float,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Estimate the negative ELBO plus a price on the covariance of all codes, DIP-VAE-II.

    .. math:: \mathrm{loss} = -\log p(x|z) + \mathrm{KL}(q(z|x)\,\|\,p(z))
        + \lambda_{od} \sum_{i \ne j} C_{ij}^2 + \lambda_d \sum_i (C_{ii} - 1)^2

    with :math:`C = \operatorname{Cov}_x(\mu) + \mathbb{E}_x \operatorname{diag} \sigma^2`, the
    covariance of q(z), by that of the batch. (The source's DIP-VAE-I has the covariance of the
    means alone. It asks of each latent that its means have the variance 1, and so gives a latent
    something to say that would rather be silent: its draws have the variance 1 as it is.)

    The covariance of M images is without bias, but its squares are too large: for codes with
    normal means of the covariance S by :math:`(S_{ii} S_{jj} + S_{ij}^2) / (M - 1)` each.

    Args:
        model: a VAE whose prior is N(0, I).
        batch: images, two or more, with the labels that the model needs.
        off_diagonal: :math:`\lambda_{od}`, weight of the squared covariances, nats.
        diagonal: :math:`\lambda_d`, weight of the squared distances of the variances from 1, nats.
        generator: source of z's noise.
        progress: share of the training that is done.

    Returns:
        `loss`, `reconstruction` and `kl` as of :func:`negative_elbo`, and `penalty`, the same for
        each image; each [N], nats; and the likelihood's statistics.

    Raises:
        ValueError: when the batch doesn't fit the model or is a single image, a weight is
            negative, or the prior is not N(0, I).

    Source:
        Variational Inference of Disentangled Latent Concepts from Unlabeled Observations (Kumar,
        Sattigeri and Balakrishnan, 2018), the objective of DIP-VAE-II |
        https://arxiv.org/abs/1711.00848

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
        >>> batch = ImageSet(torch.rand(5, 1, 28, 28))
        >>> terms = dip(model, batch, off_diagonal=10.0, diagonal=10.0)
        >>> expected = terms["reconstruction"] + terms["kl"] + terms["penalty"]
        >>> torch.equal(terms["loss"], expected)
        True
    """
    _check_aggregate(model, batch)
    _checks.number(off_diagonal, "off_diagonal", 0)
    _checks.number(diagonal, "diagonal", 0)
    seen = _encoded(model, batch, generator)
    centred = seen.mu - seen.mu.mean(0)
    # A product of matrices would be taken in half precision under autocast.
    products = (centred[:, :, None] * centred[:, None]).sum(0) / (len(batch) - 1)
    covariance = products + seen.logvar.exp().mean(0).diag()
    on = covariance.diagonal()
    off = covariance - on.diag()
    penalty = off_diagonal * off.square().sum() + diagonal * (on - 1).square().sum()
    return _penalised(seen, seen.kl, penalty.expand(len(batch)))


def info_vae(
    model: VAE,
    batch: ImageSet,
    *,
    scale: float,
    alpha: float = 0.0,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Estimate InfoVAE's loss, with the maximum mean discrepancy of all codes from the prior.

    .. math:: \mathrm{loss} = -\log p(x|z) + (1 - \alpha)\,\mathrm{KL}(q(z|x)\,\|\,p(z))
        + (\alpha + \lambda - 1)\,\mathrm{MMD}^2(q, p)

    .. math::

        \mathrm{MMD}^2(q, p) &= \mathbb{E}\,k(z, z') - 2\,\mathbb{E}\,k(z, y)
        + \mathbb{E}\,k(y, y'), \\
        k(z, z') &= e^{-\|z - z'\|^2 / (2D)}

    with :math:`z` and :math:`z'` drawn from q(z), the mixture of all codes, and :math:`y` and
    :math:`y'` from p = N(0, I), each independently. Two draws of p lie :math:`\sqrt{2D}` apart in
    the root mean square, where the kernel is 1/e. The source estimates the expectations from
    draws. Here the noise of codes and prior is integrated exactly, as the mean of a Gaussian
    kernel over Gaussians has a closed form, and the mean over pairs of different images is without
    bias.

    With :math:`\alpha = 0` and :math:`\lambda = 1` the discrepancy has no weight, and the loss is
    that of :func:`negative_elbo`. With :math:`\alpha = 1` the KL of single images has none, and
    what a code says about its image costs nothing.

    Args:
        model: a VAE whose prior is N(0, I).
        batch: images, two or more, with the labels that the model needs.
        scale: :math:`\lambda`, at least :math:`1 - \alpha`, nats.
        alpha: :math:`\alpha`, at most 1.
        generator: source of z's noise.
        progress: share of the training that is done.

    Returns:
        `loss`, `reconstruction` and `kl` as of :func:`negative_elbo`, and `penalty`, the last part
        of the loss; each [N], nats; and the likelihood's statistics.

    Raises:
        ValueError: when the batch doesn't fit the model or is a single image, a weight is
            negative, or the prior is not N(0, I).

    Source:
        InfoVAE: Balancing Learning and Inference in Variational Autoencoders (Zhao, Song and
        Ermon, 2019), the objective in its second form, with the KL of single images and a
        divergence of the prior, here the discrepancy | https://arxiv.org/abs/1706.02262; A Kernel
        Two-Sample Test (Gretton et al., 2012), for the estimate without bias.

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
        >>> batch = ImageSet(torch.rand(5, 1, 28, 28))
        >>> terms = info_vae(model, batch, scale=1000.0, alpha=1.0)
        >>> torch.equal(terms["loss"], terms["reconstruction"] + terms["penalty"])
        True
    """
    _check_aggregate(model, batch)
    _checks.number(alpha, "alpha", high=1)
    _checks.number(scale, "scale", 1 - alpha)
    seen = _encoded(model, batch, generator)
    mmd = _squared_mmd(seen.mu, seen.logvar.exp())
    return _penalised(seen, (1 - alpha) * seen.kl, (alpha + scale - 1) * mmd)


def _squared_mmd(mu: Tensor, variance: Tensor) -> Tensor:
    """Return what the mean of is the squared discrepancy of N(0, I) and codes, [N]."""
    n, width = mu.shape[0], float(mu.shape[1])  # the kernel's variance in each dimension
    pairs = _kernel(mu[:, None] - mu, variance[:, None] + variance, width)
    others = (pairs.sum(1) - pairs.diagonal()) / (n - 1)
    prior = _kernel(mu, variance + 1, width)
    return others - 2 * prior + (1 + 2 / width) ** (-width / 2)


def _kernel(shift: Tensor, variance: Tensor, width: float) -> Tensor:
    """Return the mean Gaussian kernel of two Gaussians, by the variance of their difference."""
    wide = width + variance
    return (-0.5 * (shift.square() / wide + (wide / width).log())).sum(-1).exp()


def _penalised(seen: _Encoded, kl: Tensor, penalty: Tensor) -> dict[str, Tensor]:
    return {
        "loss": seen.reconstruction + kl + penalty,
        "reconstruction": seen.reconstruction,
        "kl": seen.kl,
        "penalty": penalty,
    } | seen.statistics


def categorical_elbo(
    model: CategoricalVAE,
    batch: ImageSet,
    *,
    estimate: Callable[..., Tensor] = gradients.exact,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Estimate the negative ELBO of a code that is one of K categories.

    .. math:: \mathrm{loss} = -\sum_k q_k \log p(x|k) + \mathrm{KL}(q \,\|\, \mathrm{uniform})

    The KL is :math:`\log K` minus the entropy of q, in closed form for every estimator.

    Args:
        model: a :class:`vaebook.models.discrete.CategoricalVAE`.
        batch: images.
        estimate: of the sum, one of :mod:`vaebook.models.gradients`, called with logits, function
            and `generator`; the sum itself by default.
        generator: source of what it draws.
        progress: share of the training that is done.

    Returns:
        `loss`, `reconstruction` and `kl`, each [N], nats, and the likelihood's own statistics in
        the mean over q.

    Raises:
        ValueError: when the batch doesn't fit the model, or `estimate` returns no finite [N].

    Source:
        Categorical Reparameterization with Gumbel-Softmax (Jang, Gu and Poole, 2017), for the
        objective | https://arxiv.org/abs/1611.01144

    Example:
        >>> from functools import partial
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = CategoricalVAE(MLPEncoder(16), MLPDecoder(16), 16, Bernoulli())
        >>> batch = ImageSet(torch.rand(5, 1, 28, 28))
        >>> loss = categorical_elbo(model, batch)["loss"]
        >>> torch.allclose(loss, -model.elbo(batch), atol=1e-3)
        True
        >>> four = partial(gradients.leave_one_out, draws=4)
        >>> sorted(categorical_elbo(model, batch, estimate=four))
        ['kl', 'loss', 'reconstruction']
    """
    _check(model, CategoricalVAE, batch)
    if not callable(estimate):
        raise ValueError(f"estimate must be one of models.gradients, got {estimate!r}")
    logits = model.encode(batch.images)

    def log_prob(y: Tensor) -> Tensor:
        outputs = model.outputs(y.flatten(0, 1))
        if y.shape[1] < len(logits):  # the same points for all images
            return model.likelihood.log_prob_pairs(outputs, batch.images).T
        images = batch.images.expand(len(y), *batch.images.shape).flatten(0, 1)
        return model.likelihood.log_prob(outputs, images).view(y.shape[:2])

    value = estimate(logits, log_prob, generator=generator)
    _checks.floats(value, "what estimate returns", (len(logits),))
    reconstruction = -value
    log_q = logits.log_softmax(1)
    kl = math.log(model.latent_dim) + (log_q.exp() * log_q).sum(1)
    loss = {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    return loss | _expected_statistics(model, batch.images, log_q.detach().exp())


def _expected_statistics(model: CategoricalVAE, images: Tensor, q: Tensor) -> dict[str, Tensor]:
    """Return the likelihood's statistics, [N] each, in the mean over the categories."""
    with torch.no_grad():
        corners = torch.eye(model.latent_dim, dtype=q.dtype, device=q.device)
        each = [
            model.likelihood.statistics(output.expand_as(images), images)
            for output in model.outputs(corners)
        ]
    return {
        name: (q * torch.stack([statistics[name] for statistics in each], 1)).sum(1)
        for name in each[0]
    }


def quantized(
    model: VQVAE,
    batch: ImageSet,
    *,
    commitment: float = 0.25,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Return the loss of a VQ-VAE: reconstruction, codebook and commitment.

    .. math:: \mathrm{loss} = -\log p(x|z_q) + \|\mathrm{sg}(z_e) - e\|^2
        + \beta\,\|z_e - \mathrm{sg}(e)\|^2

    where sg is the identity without a gradient. Backward, :math:`z_q` passes its gradient to
    :math:`z_e` as if they were the same. No KL is needed: to a uniform prior it is :math:`\log K`
    at each place, whatever the weights are.

    Args:
        model: a :class:`vaebook.models.discrete.VQVAE`.
        batch: images.
        commitment: :math:`\beta`, the price of codes far from their vectors.
        generator: unused, there is nothing to draw.
        progress: share of the training that is done.

    Returns:
        `loss`, `reconstruction` (nats) and `distance`, the squared one between codes and vectors,
        each [N].

    Raises:
        ValueError: when the batch doesn't fit the model or `commitment` < 0.

    Source:
        Neural Discrete Representation Learning (van den Oord, Vinyals and Kavukcuoglu, 2017),
        equation 3 | https://arxiv.org/abs/1711.00937

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VQVAE(MLPEncoder(8), MLPDecoder(8), torch.randn(16, 2), 4, Bernoulli())
        >>> terms = quantized(model, ImageSet(torch.rand(5, 1, 28, 28)), commitment=1.0)
        >>> expected = terms["reconstruction"] + 2 * terms["distance"]
        >>> torch.allclose(terms["loss"], expected)
        True
    """
    _check(model, VQVAE, batch)
    _checks.number(commitment, "commitment", 0)
    z = model.encode(batch.images)
    try:
        indices = model.nearest(z)
    except ValueError as error:
        raise ValueError(f"batch must have codes near vectors: {error}") from None
    vectors = model.embed(indices)
    outputs = model.outputs(z + (vectors - z).detach())
    reconstruction = -model.likelihood.log_prob(outputs, batch)
    towards_codes = (z.detach() - vectors).square().sum(1)
    towards_vectors = (z - vectors.detach()).square().sum(1)
    loss = reconstruction + towards_codes + commitment * towards_vectors
    return {
        "loss": loss,
        "reconstruction": reconstruction,
        "distance": towards_codes,
    } | model.likelihood.statistics(outputs.detach(), batch.images)


def reconstruction_only(
    model: Autoencoder,
    batch: ImageSet,
    *,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""Return the autoencoder's loss :math:`-\log p(x\,|\,z = e(x))` as `loss`, [N], nats.

    Beside it stand the statistics of its likelihood, as in :func:`negative_elbo`.

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


def _check_aggregate(model: object, batch: object) -> None:
    """Refuse what has no mixture of codes to compare with N(0, I)."""
    _check(model, VAE, batch)
    assert isinstance(model, VAE)
    assert isinstance(batch, ImageSet)
    if not isinstance(model.prior, StandardNormal):
        raise ValueError(f"model must have the prior N(0, I), got {type(model.prior).__name__}")
    if len(batch) < 2:
        raise ValueError(f"batch must have at least 2 images, got {len(batch)}")
