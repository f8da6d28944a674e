r"""Priors p(z), or p(z|c): what the KL measures from, and what samplers start from.

A prior is a part of its model. `labels` is what a conditional prior depends on, a class or a
score per image; others ignore it. A prior reads it off a batch by `condition(batch)`.
"""

__all__ = [
    "ConditionalShift",
    "DiagonalNormal",
    "FullNormal",
    "GaussianPrior",
    "Mixture",
    "MixturePrior",
    "Prior",
    "StandardNormal",
]

import math
from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Generator, Tensor, nn

from vaebook import _checks
from vaebook.datasets import ImageSet

_LOG_TWO_PI = math.log(2 * math.pi)


class Prior(nn.Module):
    """A distribution over codes z [N, D].

    `version` is raised when the code changes a result of training.

    Args:
        latent_dim: the number of latent dimensions, D.
    """

    version: ClassVar[int] = 1

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        _checks.count(latent_dim, "latent_dim")
        self.latent_dim = latent_dim

    def condition(self, batch: ImageSet) -> Tensor | None:
        """Return what the prior of each image depends on, [N], or None where it is one for all."""
        return None

    def log_prob(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return log p(z), or log p(z|c), [N], nats."""
        raise NotImplementedError

    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw n codes [n, D]; of a conditional prior one for each of `labels` [n]."""
        raise NotImplementedError

    def kl(
        self,
        mu: Tensor,
        logvar: Tensor,
        labels: Tensor | None = None,
        n_samples: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        r"""Return KL(q || p) of each q = N(mu, diag exp logvar), [N], nats.

        It is in closed form where there is one. Otherwise it is estimated by a mean over draws
        of q, without bias and differentiable:

        .. math:: \frac1L \sum_{l=1}^L \left( \log q(z_l) - \log p(z_l) \right), \quad z_l \sim q

        Args:
            mu: [N, D].
            logvar: [N, D].
            labels: what a conditional prior depends on, [N].
            n_samples: L; of no effect in a closed form.
            generator: source of the draws.
        """
        _check_q(mu, logvar, self.latent_dim)
        _checks.count(n_samples, "n_samples")
        total = torch.zeros_like(mu[:, 0])
        for _ in range(n_samples):
            noise = _checks.randn(mu.shape, mu, generator)
            z = torch.addcmul(mu, (0.5 * logvar).exp(), noise)
            log_q = -0.5 * (noise.square() + logvar + _LOG_TWO_PI).sum(1)
            total = total + log_q - self.log_prob(z, labels)
        return total / n_samples


class GaussianPrior(Prior):
    r"""A normal distribution: :math:`z = m + A\epsilon` with white noise :math:`\epsilon`.

    Args:
        mean: m, [D].
        persistent: whether m is saved with the model's weights.
    """

    mean: Tensor

    def __init__(self, mean: Tensor, persistent: bool = True) -> None:
        _checks.floats(mean, "mean", ("D",))
        super().__init__(len(mean))
        self.register_buffer("mean", mean.detach().clone(), persistent)

    def color(self, noise: Tensor) -> Tensor:
        r"""Return :math:`A\epsilon` of white noise [N, D], with covariance :math:`AA^\top`."""
        raise NotImplementedError

    def whiten(self, z: Tensor) -> Tensor:
        r"""Return :math:`A^{-1}(z - m)` of codes [N, D]: white noise where z is a draw."""
        raise NotImplementedError

    def _half_log_det(self) -> Tensor:
        """Return log |A|."""
        raise NotImplementedError

    def _check(self, value: Tensor, name: str) -> None:
        _check_codes(value, name, self.mean)

    def log_prob(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        squares = (self.whiten(z).square() + _LOG_TWO_PI).sum(1)
        return -0.5 * squares - self._half_log_det()

    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        _checks.count(n, "n")
        return self.mean + self.color(_checks.randn((n, self.latent_dim), self.mean, generator))


class StandardNormal(GaussianPrior):
    r"""N(0, I), with the KL in closed form.

    .. math:: \mathrm{KL} = \tfrac12 \sum_j \left(\mu_j^2 + e^{\mathrm{logvar}_j} - 1
        - \mathrm{logvar}_j\right)

    Source:
        Auto-Encoding Variational Bayes (Kingma and Welling, 2014), appendix B |
        https://arxiv.org/abs/1312.6114

    Example:
        >>> StandardNormal(2).kl(torch.ones(1, 2), torch.zeros(1, 2))
        tensor([1.])
    """

    def __init__(self, latent_dim: int) -> None:
        _checks.count(latent_dim, "latent_dim")
        super().__init__(torch.zeros(latent_dim), persistent=False)

    def color(self, noise: Tensor) -> Tensor:
        self._check(noise, "noise")
        return noise

    def whiten(self, z: Tensor) -> Tensor:
        self._check(z, "z")
        return z

    def _half_log_det(self) -> Tensor:
        return self.mean.new_zeros(())

    def kl(
        self,
        mu: Tensor,
        logvar: Tensor,
        labels: Tensor | None = None,
        n_samples: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        _check_q(mu, logvar, self.latent_dim)
        # expm1 keeps the digits of a posterior that is all but the prior.
        return 0.5 * (mu.square() + torch.expm1(logvar) - logvar).sum(1)


class DiagonalNormal(GaussianPrior):
    r"""N(m, diag exp logvar), with the KL in closed form.

    Args:
        mean: m, [D].
        logvar: [D].

    Example:
        >>> prior = DiagonalNormal(torch.tensor([1.0, 0.0]), torch.zeros(2))
        >>> prior.kl(torch.zeros(1, 2), torch.zeros(1, 2))
        tensor([0.5000])
    """

    logvar: Tensor

    def __init__(self, mean: Tensor, logvar: Tensor) -> None:
        super().__init__(mean)
        _checks.floats(logvar, "logvar", (self.latent_dim,))
        _checks.alike(mean=mean, logvar=logvar)
        self.register_buffer("logvar", logvar.detach().clone())

    def color(self, noise: Tensor) -> Tensor:
        self._check(noise, "noise")
        return noise * (0.5 * self.logvar).exp()

    def whiten(self, z: Tensor) -> Tensor:
        self._check(z, "z")
        return (z - self.mean) * (-0.5 * self.logvar).exp()

    def _half_log_det(self) -> Tensor:
        return 0.5 * self.logvar.sum()

    def kl(
        self,
        mu: Tensor,
        logvar: Tensor,
        labels: Tensor | None = None,
        n_samples: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        _check_q(mu, logvar, self.latent_dim)
        gap = logvar - self.logvar
        return 0.5 * (self.whiten(mu).square() + torch.expm1(gap) - gap).sum(1)


class FullNormal(GaussianPrior):
    r"""N(m, S) with any covariance, and the KL in closed form.

    Args:
        mean: m, [D].
        covariance: S, symmetric positive definite, [D, D].

    Raises:
        ValueError: when a shape doesn't fit or S isn't positive definite.

    Example:
        >>> prior = FullNormal(torch.zeros(2), torch.tensor([[1.0, 0.5], [0.5, 1.0]]))
        >>> round(torch.corrcoef(prior.sample(100_000).T)[0, 1].item(), 1)
        0.5
    """

    root: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__(mean)
        _checks.floats(covariance, "covariance", (self.latent_dim, self.latent_dim))
        _checks.alike(mean=mean, covariance=covariance)
        root = _checks.cholesky(covariance.detach(), "covariance")
        self.register_buffer("root", root.to(covariance))

    def color(self, noise: Tensor) -> Tensor:
        self._check(noise, "noise")
        return noise @ self.root.mT.to(noise.dtype)

    def whiten(self, z: Tensor) -> Tensor:
        self._check(z, "z")
        centred = z - self.mean
        root = self.root.to(centred.dtype)
        return torch.linalg.solve_triangular(root, centred.mT, upper=False).mT

    def _half_log_det(self) -> Tensor:
        return self.root.diagonal().log().sum()

    def kl(
        self,
        mu: Tensor,
        logvar: Tensor,
        labels: Tensor | None = None,
        n_samples: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        _check_q(mu, logvar, self.latent_dim)
        precision = torch.cholesky_inverse(self.root)
        trace = (logvar.exp() * precision.diagonal()).sum(1)
        squares = self.whiten(mu).square().sum(1)
        log_det = self._half_log_det() - 0.5 * logvar.sum(1)
        return 0.5 * (trace + squares - self.latent_dim) + log_det


class ConditionalShift(Prior):
    r""":math:`\mathcal{N}(-r c \mathbf 1, I)`: a score c of the image pulls along the diagonal.

    .. math:: \mathrm{KL}(\mathcal{N}(\mu, \Lambda)\,\|\,\mathcal{N}(-r c \mathbf 1, I))
        = \mathrm{KL}(\mathcal{N}(\mu + r c \mathbf 1, \Lambda)\,\|\,\mathcal{N}(0, I))

    A positive score pulls towards negative coordinates, in all dimensions alike. Averaged over
    images it has the mean :math:`-r \mathbb{E}[c] \mathbf 1` and the covariance
    :math:`I + r^2 \operatorname{Var}(c) \mathbf 1 \mathbf 1^\top`, so draws of N(0, I)
    are not draws of this prior.

    Args:
        latent_dim: the number of latent dimensions, D.
        rate: r, in latent units per unit of the score; 0 is N(0, I).
        score: maps images [N, C, H, W] to c, [N].

    Example:
        >>> prior = ConditionalShift(2, rate=10.0, score=lambda images: images.mean((1, 2, 3)))
        >>> batch = ImageSet(torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)]))
        >>> codes = torch.tensor([[0.0, 0.0], [-10.0, -10.0]])  # where the prior has its means
        >>> prior.kl(codes, torch.zeros(2, 2), prior.condition(batch))
        tensor([0., 0.])
    """

    def __init__(self, latent_dim: int, rate: float, score: Callable[[Tensor], Tensor]) -> None:
        super().__init__(latent_dim)
        _checks.number(rate, "rate")
        if not callable(score):
            raise ValueError(f"score must map images to numbers, got {score!r}")
        self.rate = float(rate)
        self.score = score

    def extra_repr(self) -> str:
        return f"{self.latent_dim}, rate={self.rate:g}"

    def condition(self, batch: ImageSet) -> Tensor:
        """Return the score of each image, [N], as a constant."""
        _checks.instance(batch, "batch", ImageSet)
        with torch.no_grad():
            return self.score(batch.images)

    def _shift(self, labels: Tensor | None, n: int) -> Tensor:
        if labels is None:
            raise ValueError("labels must be the score of each image, [N], got None")
        _checks.floats(labels, "labels", (n,))
        return self.rate * labels[:, None]

    def log_prob(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        _checks.floats(z, "z", ("N", self.latent_dim), finite=False)
        shift = self._shift(labels, len(z))
        _checks.same_device(z=z, labels=shift)
        shifted = z + shift
        return -0.5 * (shifted.square() + _LOG_TWO_PI).sum(1)

    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        _checks.count(n, "n")
        shift = self._shift(labels, n)
        return _checks.randn((n, self.latent_dim), shift, generator) - shift

    def kl(
        self,
        mu: Tensor,
        logvar: Tensor,
        labels: Tensor | None = None,
        n_samples: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        _check_q(mu, logvar, self.latent_dim)
        shift = self._shift(labels, len(mu))
        _checks.same_device(mu=mu, labels=shift)
        shifted = mu + shift
        return 0.5 * (shifted.square() + torch.expm1(logvar) - logvar).sum(1)


class MixturePrior(Prior):
    r"""A mixture of K diagonal normals with weights w, wherever they come from.

    .. math:: p(z) = \sum_k w_k\, \mathcal{N}(z; m_k, \mathrm{diag} \exp \mathrm{logvar}_k)
    """

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return means [K, D], logvars [K, D] and the logarithms of the weights [K]."""
        raise NotImplementedError

    def log_prob(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        means, logvars, log_weights = self.components()
        _check_codes(z, "z", means[0])
        squares = (z[:, None] - means).square() * (-logvars).exp()
        each = -0.5 * (squares + logvars + _LOG_TWO_PI).sum(2)
        return torch.logsumexp(each + log_weights, dim=1)

    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        _checks.count(n, "n")
        means, logvars, log_weights = self.components()
        uniform = _checks.rand((n,), means, generator)
        reached = log_weights.exp().cumsum(0)
        component = torch.searchsorted(reached, uniform).clamp_max(len(means) - 1)
        noise = _checks.randn((n, self.latent_dim), means, generator)
        return means[component] + (0.5 * logvars[component]).exp() * noise


class Mixture(MixturePrior):
    r"""A mixture of K diagonal normals with weights w.

    .. math:: p(z) = \sum_k w_k\, \mathcal{N}(z; m_k, \mathrm{diag} \exp \mathrm{logvar}_k)

    Args:
        means: [K, D].
        logvars: [K, D].
        weights: positive, summing to 1, [K]; all equal by default.

    Raises:
        ValueError: when a shape doesn't fit or the weights are not a distribution.

    Example:
        >>> means = torch.tensor([[-9.0], [9.0]])
        >>> prior = Mixture(means, torch.zeros(2, 1), weights=torch.tensor([0.2, 0.8]))
        >>> round((prior.sample(10_000) > 0).float().mean().item(), 1)
        0.8
    """

    means: Tensor
    logvars: Tensor
    log_weights: Tensor

    def __init__(self, means: Tensor, logvars: Tensor, weights: Tensor | None = None) -> None:
        _checks.floats(means, "means", ("K", "D"))
        super().__init__(means.shape[1])
        _checks.floats(logvars, "logvars", tuple(means.shape))
        if weights is None:
            weights = torch.full_like(means[:, 0], 1 / len(means))
        _checks.shares(weights, "weights", len(means))
        _checks.alike(means=means, logvars=logvars, weights=weights)
        self.register_buffer("means", means.detach().clone())
        self.register_buffer("logvars", logvars.detach().clone())
        self.register_buffer("log_weights", weights.detach().log())

    @classmethod
    def fitted(cls, z: Tensor, n_components: int, seed: int = 0) -> Self:
        """Fit a mixture to codes by expectation maximisation, from k-means.

        Args:
            z: codes, such as one draw of q(z|x) for each image, [N, D], N at least K.
            n_components: K.
            seed: of the start.

        Raises:
            ValueError: when a code isn't finite, or there are fewer codes than components.

        Source:
            scikit-learn's `GaussianMixture`, which adds 1e-6 to the variances.

        Example:
            >>> z = torch.cat([torch.randn(500, 1) - 9, torch.randn(500, 1) + 9])
            >>> Mixture.fitted(z, 2).means.round().abs().flatten()
            tensor([9., 9.])
        """
        _checks.points(z, "z", ("N", "D"))
        _checks.count(n_components, "n_components")
        _checks.count(seed, "seed", 0)
        _checks.rows(z, "z", max(2, n_components))
        from sklearn.mixture import GaussianMixture

        codes = _checks.double(z.detach()).cpu().numpy()
        found = GaussianMixture(n_components, covariance_type="diag", random_state=seed).fit(codes)
        means, variances, weights = (
            torch.from_numpy(part).to(z.dtype).to(z.device)
            for part in (found.means_, found.covariances_, found.weights_)
        )
        # A component may be left with nothing.
        weights = weights.clamp_min(1e-12)
        return cls(means, variances.log(), weights / weights.sum())

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.means, self.logvars, self.log_weights


def _check_codes(value: Tensor, name: str, mean: Tensor) -> None:
    _checks.floats(value, name, ("N", len(mean)), finite=False)
    _checks.same_device(**{name: value, "prior": mean})


def _check_q(mu: Tensor, logvar: Tensor, latent_dim: int) -> None:
    _checks.floats(mu, "mu", ("N", latent_dim), finite=False)
    _checks.floats(logvar, "logvar", tuple(mu.shape), finite=False)
    _checks.same_device(mu=mu, logvar=logvar)
