r"""Diffusion in a latent space: noise that grows, the exact score of what it makes, the way back.

The process is the variance-preserving one: a code :math:`z` becomes

.. math:: z_t &= \alpha_t z + \sigma_t \epsilon, \quad \epsilon \sim \mathcal{N}(0, I), \\
    \alpha_t^2 + \sigma_t^2 &= 1, \quad \lambda_t = \log(\alpha_t^2 / \sigma_t^2),

with a log signal-to-noise ratio :math:`\lambda_t` that falls linearly in t from 0 to 1. A *field*
is what all else is made of: it maps noised codes [N, D] and their times, a number or [N], to the
noise :math:`\hat\epsilon` that it predicts in them, [N, D], and it knows its process, which is why
nothing else here is told one. The score is :math:`-\hat\epsilon / \sigma_t`. Of a mixture of
Gaussians, such as the aggregate posterior of a VAE, the best field is known:
:class:`NoisedMixture`. A :class:`Denoiser` learns one, and a :class:`Field` is one of your own.

Densities and bounds are in nats. Tensors come back on the device and in the dtype of the input.
"""

__all__ = [
    "Bound",
    "Denoiser",
    "Field",
    "NoisedMixture",
    "Process",
    "bound",
    "denoising_loss",
    "fit",
    "guided",
    "log_density_ode",
    "sample_ode",
    "sample_sde",
]

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from vaebook import _checks
from vaebook._checks import double
from vaebook.models import VAE
from vaebook.models.networks import he_
from vaebook.models.priors import StandardNormal
from vaebook.objectives import kl_divergence
from vaebook.training import one_cycle

# Entries of the largest table [points, components] held at once; 8 MB suit a core's cache.
_TABLE = 2**20

# Squares in standard deviations, beyond which an expanded square has lost too many digits.
_EXPANDED = 1e9

# Waves of the log signal-to-noise ratio that a denoiser is told the time by.
_WAVES = 8


@dataclass(frozen=True)
class Process:
    r"""The variance-preserving process whose log signal-to-noise ratio is linear in time.

    .. math:: \lambda_t &= \lambda_0 + t (\lambda_1 - \lambda_0), \\
        \alpha_t^2 &= \frac{1}{1 + e^{-\lambda_t}}, \qquad \sigma_t^2 = \frac{1}{1 + e^{\lambda_t}}

    It solves :math:`dz = -\tfrac12 \beta_t z\, dt + \sqrt{\beta_t}\, dw` with
    :math:`\beta_t = (\lambda_0 - \lambda_1) \sigma_t^2`.

    Args:
        first: :math:`\lambda_0`; at 9 the noise has the standard deviation 0.011.
        last: :math:`\lambda_1`, below the first; at -9 the signal has the factor 0.011.

    Raises:
        ValueError: when they are not finite, beyond 60 in size, or do not fall.

    Source:
        Variational Diffusion Models (Kingma et al., 2021) | https://arxiv.org/abs/2107.00630, for
        a process described by its log signal-to-noise ratio; Score-Based Generative Modeling
        through Stochastic Differential Equations (Song et al., 2021) |
        https://arxiv.org/abs/2011.13456, for the equation.

    Example:
        >>> process = Process()
        >>> t = torch.tensor([0.0, 0.5, 1.0])
        >>> process.log_snr(t), process.alpha(t)
        (tensor([ 9.,  0., -9.]), tensor([0.9999, 0.7071, 0.0111]))
    """

    first: float = 9.0
    last: float = -9.0

    def __post_init__(self) -> None:
        _checks.number(self.first, "first", -60, 60)
        _checks.number(self.last, "last", -60, 60)
        if self.last >= self.first:
            raise ValueError(f"last must be below first, got {self.last} and {self.first}")

    def log_snr(self, t: Tensor) -> Tensor:
        r"""Return :math:`\lambda_t` at times in [0, 1], of any shape."""
        _check_times(t)
        return self.first + t * (self.last - self.first)

    def alpha(self, t: Tensor) -> Tensor:
        r"""Return :math:`\alpha_t`, the factor of the signal."""
        return self.log_snr(t).sigmoid().sqrt()

    def sigma(self, t: Tensor) -> Tensor:
        r"""Return :math:`\sigma_t`, the standard deviation of the noise."""
        return (-self.log_snr(t)).sigmoid().sqrt()

    def noised(self, z: Tensor, t: float | Tensor, noise: Tensor) -> Tensor:
        r"""Return :math:`\alpha_t z + \sigma_t \epsilon` [N, D].

        Args:
            z: codes [N, D].
            t: times in [0, 1], a number or [N].
            noise: white noise [N, D].
        """
        _checks.floats(z, "z", ("N", "D"))
        _checks.floats(noise, "noise", tuple(z.shape))
        _checks.alike(z=z, noise=noise)
        times = _times(t, z)[:, None]
        return self.alpha(times) * z + self.sigma(times) * noise


@dataclass(frozen=True)
class Field:
    """A function of noised codes and times as a field of a process.

    Args:
        function: maps codes [N, D] and their times, a number or [N], to noise [N, D].
        process: that of the noise.

    Raises:
        ValueError: when the function can't be called, or, as soon as it is called, when its noise
            has another shape than the codes or is not finite.

    Example:
        >>> field = Field(lambda z, t: 0.5 * z)
        >>> field(torch.ones(1, 2), 0.3)
        tensor([[0.5000, 0.5000]])
    """

    function: Callable[[Tensor, "float | Tensor"], Tensor]
    process: Process = Process()

    def __post_init__(self) -> None:
        if isinstance(self.function, type) or not callable(self.function):
            raise ValueError(f"function must map codes and times to noise, got {self.function!r}")
        _checks.instance(self.process, "process", Process)

    def __call__(self, z: Tensor, t: float | Tensor) -> Tensor:
        """Return the noise predicted in z [N, D] at times t, a number or [N]."""
        _checks.points(z, "z", ("N", "D"))
        _times(t, z)
        noise = self.function(z, t)
        _checks.floats(noise, "function(z, t)", tuple(z.shape))
        return noise


class NoisedMixture(nn.Module):
    r"""The exact field, score and density of a mixture of Gaussians under noise.

    With components :math:`\mathcal{N}(\mu_k, \Sigma_k)` and weights :math:`w_k` the
    noised mixture is

    .. math:: q_t(z) &= \sum_k w_k \mathcal{N}(z; \alpha_t \mu_k, S_k), \\
        S_k &= \alpha_t^2 \Sigma_k + \sigma_t^2 I,

    and the field, with the responsibilities
    :math:`r_k(z) \propto w_k \mathcal{N}(z; \alpha_t \mu_k, S_k)`,

    .. math:: \hat\epsilon(z, t) &= -\sigma_t \nabla \log q_t(z) \\
        &= \sigma_t \sum_k r_k(z)\, S_k^{-1} (z - \alpha_t \mu_k) \\
        &= \mathbb{E}[\epsilon \mid z_t = z].

    It is a field: calling it returns :math:`\hat\epsilon`. Sums run in float64.

    Args:
        mu: means [K, D].
        logvar: log-variances [K, D]; None for points, whose variances are 0.
        weights: positive, summing to 1, [K]; all equal by default.
        axes: orthonormal [K, D, D], whose columns are the directions that the variances of a
            component belong to; by default those of the coordinates.
        process: that of the noise.

    Raises:
        ValueError: when shapes do not fit, an entry is not finite, or the weights are no
            distribution.

    Source:
        Tweedie's formula, as in Tweedie's Formula and Selection Bias (Efron, 2011) |
        https://doi.org/10.1198/jasa.2011.tm11181.

    Example:
        >>> field = NoisedMixture(torch.tensor([[-1.0], [1.0]]), None)
        >>> z = field.process.noised(torch.ones(1, 1), 0.3, torch.full((1, 1), 0.5))
        >>> field(z, 0.3)  # nothing but the code at 1 could have become z
        tensor([[0.5000]])
    """

    mu: Tensor
    logvar: Tensor
    weights: Tensor
    axes: Tensor | None

    def __init__(
        self,
        mu: Tensor,
        logvar: Tensor | None,
        weights: Tensor | None = None,
        axes: Tensor | None = None,
        process: Process | None = None,
    ) -> None:
        super().__init__()
        _checks.points(mu, "mu", ("K", "D"))
        k, d = mu.shape
        if logvar is None:
            logvar = torch.full_like(mu, -math.inf)
        else:
            _checks.floats(logvar, "logvar", (k, d), largest=40)
        if weights is None:
            weights = torch.full_like(mu[:, 0], 1 / k)
        _checks.shares(weights, "weights", k)
        _checks.same_device(mu=mu, logvar=logvar, weights=weights)
        if axes is not None:
            _checks.floats(axes, "axes", (k, d, d))
            _checks.same_device(mu=mu, axes=axes)
            exact = double(axes)
            off = (exact.mT @ exact - torch.eye(d).to(exact)).abs().max().item()
            if off > 1e-4:
                raise ValueError(f"axes must be orthonormal, got columns that are {off:g} off")
        self.process = _process(process)
        for name, value in {"mu": mu, "logvar": logvar, "weights": weights}.items():
            self.register_buffer(name, value.detach().clone())
        self.register_buffer("axes", None if axes is None else axes.detach().clone())

    @classmethod
    def of_covariances(
        cls,
        mu: Tensor,
        covariances: Tensor,
        weights: Tensor | None = None,
        process: Process | None = None,
    ) -> "NoisedMixture":
        """Return the field of components with full covariances, positive definite [K, D, D].

        Example:
            >>> covariances = torch.tensor([[[1.0, 0.9], [0.9, 1.0]]])
            >>> field = NoisedMixture.of_covariances(torch.zeros(1, 2), covariances)
            >>> field(torch.ones(1, 2), 1.0)  # all is noise
            tensor([[0.9998, 0.9998]])
        """
        _checks.points(mu, "mu", ("K", "D"))
        _checks.floats(covariances, "covariances", (*mu.shape, mu.shape[1]), largest=1e15)
        _checks.cholesky(covariances, "covariances")
        variances, axes = torch.linalg.eigh(double(covariances))
        # Beside the noise of any time less variance is none.
        logvar = variances.log().clamp_min(-40)
        return cls(mu, logvar.to(mu), weights, axes.to(mu), process)

    def forward(self, z: Tensor, t: float | Tensor) -> Tensor:
        """Return the noise to be expected in codes z [N, D] at times t, a number or [N]."""
        return self._each(z, t)[1]

    def score(self, z: Tensor, t: float | Tensor) -> Tensor:
        r"""Return :math:`\nabla \log q_t(z)` [N, D]."""
        return -self(z, t) / self.process.sigma(_times(t, z))[:, None]

    def log_density(self, z: Tensor, t: float | Tensor) -> Tensor:
        r"""Return :math:`\log q_t(z)` [N]."""
        return self._each(z, t)[0]

    def _each(self, z: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """Log-density [N] and field [N, D], one time after the other: a table is of one time."""
        _checks.points(z, "z", ("N", self.mu.shape[1]))
        _checks.same_device(z=z, mu=self.mu)
        times = _times(t, z)
        kinds, kind = times.unique(return_inverse=True)
        if len(kinds) == 1:
            log_q, noise = self._at(double(z), double(kinds[0]))
            return log_q.to(z), noise.to(z)
        log_q, noise = torch.empty_like(z[:, 0]), torch.empty_like(z)
        for number, time in enumerate(kinds):
            rows = (kind == number).nonzero().flatten()
            found = self._at(double(z[rows]), double(time))
            log_q = log_q.index_copy(0, rows, found[0].to(z))
            noise = noise.index_copy(0, rows, found[1].to(z))
        return log_q, noise

    def _at(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        precision = 1 / (alpha.square() * double(self.logvar).exp() + sigma.square())
        constant = double(self.weights).log() + 0.5 * (precision / (2 * math.pi)).log().sum(1)
        mean = alpha * double(self.mu)
        # Around the middle of the means squares stay small, and so does what they lose.
        centre = mean.mean(0)
        z, mean = z - centre, mean - centre
        reach = max(z.abs().max(), mean.abs().max())
        if self.axes is None and reach.square() * precision.max() < _EXPANDED:
            inside, width = self._expanded, len(mean)
        else:
            inside, width = self._differences, mean.numel()
        parts = [
            inside(part, mean, precision, constant) for part in z.split(max(1, _TABLE // width))
        ]
        log_q, pull = (torch.cat(part) for part in zip(*parts, strict=True))
        return log_q, sigma * pull

    def _expanded(
        self, z: Tensor, mean: Tensor, precision: Tensor, constant: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The expanded square: two products of matrices, no table [points, components, D]."""
        drawn = precision * mean
        logs = z @ drawn.T - 0.5 * (z.square() @ precision.T)
        logs = logs + (constant - 0.5 * (drawn * mean).sum(1))
        log_q = logs.logsumexp(1)
        shares = (logs - log_q[:, None]).exp()
        return log_q, z * (shares @ precision) - shares @ drawn

    def _differences(
        self, z: Tensor, mean: Tensor, precision: Tensor, constant: Tensor
    ) -> tuple[Tensor, Tensor]:
        axes = None if self.axes is None else double(self.axes)
        gap = z[:, None] - mean
        if axes is not None:
            gap = torch.einsum("nkd,kde->nke", gap, axes)
        logs = constant - 0.5 * (gap.square() * precision).sum(2)
        log_q = logs.logsumexp(1)
        pull = (logs - log_q[:, None]).exp()[:, :, None] * gap * precision
        return log_q, pull.sum(1) if axes is None else torch.einsum("nke,kde->nd", pull, axes)


class Denoiser(nn.Module):
    r"""A small network that learns a field, with or without classes.

    It returns :math:`\hat\epsilon = \sigma_t z + \alpha_t v` with v from a multilayer perceptron
    of z, of waves of :math:`\lambda_t`, and of the class. Where all is noise the field is right
    whatever v is, and where v is zero it is that of N(0, I).

    Args:
        latent_dim: the number of latent dimensions, D.
        width: of the three hidden layers.
        n_classes: 0 for a field without classes.
        process: that of the noise.

    Raises:
        ValueError: when a size is not a whole number, or too small.

    Source:
        Progressive Distillation for Fast Sampling of Diffusion Models (Salimans and Ho, 2022) |
        https://arxiv.org/abs/2202.00512, for v; Classifier-Free Diffusion Guidance (Ho and
        Salimans, 2022) | https://arxiv.org/abs/2207.12598, for the class that may be missing.

    Example:
        >>> denoiser = Denoiser(2, n_classes=10)
        >>> field = denoiser.given(torch.tensor([3, 5]))
        >>> field(torch.zeros(2, 2), 0.5).shape
        torch.Size([2, 2])
    """

    def __init__(
        self,
        latent_dim: int,
        width: int = 128,
        n_classes: int = 0,
        process: Process | None = None,
    ) -> None:
        super().__init__()
        _checks.count(latent_dim, "latent_dim")
        _checks.count(width, "width")
        _checks.count(n_classes, "n_classes", least=0)
        self.latent_dim, self.width, self.n_classes = latent_dim, width, n_classes
        self.process = _process(process)
        sizes = [latent_dim + 2 * _WAVES + n_classes, width, width, width]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, latent_dim))
        he_(self.layers)

    def forward(self, z: Tensor, t: float | Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the noise predicted in z [N, D] at times t, a number or [N].

        Args:
            z: noised codes [N, D].
            t: times in [0, 1].
            labels: classes [N], -1 for the unconditional field; None where all are that.
        """
        # Beyond it the layers would say NaN.
        _checks.points(z, "z", ("N", self.latent_dim))
        _checks.suits(z, "z", self.layers)
        times = _times(t, z)[:, None]
        # From half a wave over the whole range to several within a unit of the ratio.
        waves = 2.0 ** torch.arange(_WAVES, device=z.device, dtype=z.dtype)
        phase = math.pi / 2 * waves * times
        inputs = [z, phase.sin(), phase.cos()]
        if self.n_classes:
            if labels is None:
                labels = torch.full((len(z),), -1, device=z.device)
            self._check_labels(labels, len(z))
            _checks.same_device(z=z, labels=labels)
            classes = torch.arange(self.n_classes, device=z.device)
            inputs.append((labels[:, None] == classes).to(z))
        elif labels is not None:
            raise ValueError("labels must be None for a denoiser without classes")
        v = self.layers(torch.cat(inputs, 1))
        return self.process.sigma(times) * z + self.process.alpha(times) * v

    def given(self, labels: Tensor) -> Field:
        """Return the field of N codes of these classes, [N], -1 for the unconditional one."""
        self._check_labels(labels, "N")
        return Field(lambda z, t: self(z, t, labels), self.process)

    def _check_labels(self, labels: Tensor, n: int | str) -> None:
        _checks.integers(labels, "labels", (n,))
        if labels.device.type == "meta" or not labels.numel():
            return
        # As numbers: beside an unsigned label -1 would be 255.
        low, high = labels.min().item(), labels.max().item()
        if not -1 <= low <= high < self.n_classes:
            raise ValueError(
                f"labels must be of 0 to {self.n_classes - 1}, or -1 for none, got {low} to {high}"
            )


AnyField = Field | NoisedMixture | Denoiser
_FIELDS = (Field, NoisedMixture, Denoiser)


def denoising_loss(field: AnyField, z: Tensor, generator: Generator | None = None) -> Tensor:
    r"""Return :math:`\|\epsilon - \hat\epsilon(z_t, t)\|^2` of codes, each at its own time, [N].

    The times are uniform in [0, 1], and spread: one offset, and steps of 1/N in random order.
    Half the range of :math:`\lambda` times the mean is the middle term of :func:`bound`.

    Args:
        field: a :class:`Denoiser`, a :class:`NoisedMixture`, or a :class:`Field`.
        z: codes [N, D].
        generator: source of randomness.

    Source:
        Denoising Diffusion Probabilistic Models (Ho et al., 2020) |
        https://arxiv.org/abs/2006.11239; Variational Diffusion Models (Kingma et al., 2021) |
        https://arxiv.org/abs/2107.00630, for the spread times.

    Example:
        >>> field = NoisedMixture(torch.zeros(1, 1), torch.zeros(1, 1))  # that of N(0, 1)
        >>> round(denoising_loss(field, torch.randn(4000, 1)).mean().item(), 1)
        0.5
    """
    z, process = _check_call(field, z), field.process
    noise = _checks.randn(z.shape, z, generator)
    order = _checks.permutation(len(z), z.device, generator)
    t = (_checks.rand((1,), z, generator) + order.to(z) / len(z)) % 1
    return (noise - field(process.noised(z, t, noise), t)).square().sum(1)


@torch.enable_grad()
def fit(
    denoiser: Denoiser,
    mu: Tensor,
    logvar: Tensor | None,
    labels: Tensor | None = None,
    *,
    n_steps: int = 3000,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    drop: float = 0.1,
    generator: Generator | None = None,
) -> list[float]:
    """Fit a denoiser to codes that stay as they are, and return its loss in each step.

    The loss is the mean of :func:`denoising_loss`, of a fresh draw of each code, by Adam. It is
    the counterpart of :func:`vaebook.models.learned_priors.fit_to_codes`, but counts steps instead
    of epochs, so that few codes are seen as long as many.

    Args:
        denoiser: trained in place.
        mu: means of the codes, [N, D].
        logvar: their log-variances, [N, D]; None for points.
        labels: classes [N], of a denoiser that has some.
        n_steps: of the optimiser.
        batch_size: codes per step, drawn with replacement.
        learning_rate: the peak of :func:`~vaebook.training.one_cycle`.
        drop: the share of labels that are left out, by which the unconditional field is learned.
        generator: source of the draws and of the noise.

    Raises:
        ValueError: when the codes or labels don't fit the denoiser, a number is out of its range,
            or the loss is not finite.

    Source:
        Classifier-Free Diffusion Guidance (Ho and Salimans, 2022) |
        https://arxiv.org/abs/2207.12598, for the labels that are left out.

    Example:
        >>> denoiser = Denoiser(1, width=16)
        >>> losses = fit(denoiser, torch.randn(100, 1), None, n_steps=20)
        >>> len(losses)
        20
    """
    _checks.instance(denoiser, "denoiser", Denoiser)
    _checks.points(mu, "mu", ("N", denoiser.latent_dim))
    if logvar is not None:
        _checks.floats(logvar, "logvar", tuple(mu.shape), largest=40)
        _checks.alike(mu=mu, logvar=logvar)
    _checks.suits(mu, "mu", denoiser.layers)
    if (labels is not None) != bool(denoiser.n_classes):
        raise ValueError("labels must be given to a denoiser with classes, and to no other")
    if labels is not None:
        denoiser._check_labels(labels, len(mu))
        _checks.same_device(mu=mu, labels=labels)
    _checks.count(n_steps, "n_steps")
    _checks.count(batch_size, "batch_size")
    _checks.number(learning_rate, "learning_rate", 0, 1, open=True)
    _checks.number(drop, "drop", 0, 1)

    mu = mu.detach()
    logvar = None if logvar is None else logvar.detach()
    optimizer = torch.optim.Adam(denoiser.parameters(), learning_rate)
    losses = []
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * one_cycle(step / n_steps)
        rows = _checks.randint(len(mu), batch_size, mu.device, generator)
        z = mu[rows]
        if logvar is not None:
            z = VAE.reparameterize(z, logvar[rows], generator)
        field: AnyField = denoiser
        if labels is not None:
            dropped = _checks.rand((batch_size,), z, generator) < drop
            field = denoiser.given(labels[rows].long().masked_fill(dropped, -1))
        loss = denoising_loss(field, z, generator).mean()
        if not bool(loss.isfinite()):
            raise ValueError(
                f"learning_rate must be less than {learning_rate:g}, or mu nearer to 0: the loss "
                f"is {loss.item()}"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def sample_sde(
    field: AnyField, z: Tensor, n_steps: int, generator: Generator | None = None
) -> Tensor:
    r"""Lead draws of N(0, I) back to time 0 by ancestral steps, [N, D].

    For times s < t, evenly spaced, with :math:`c = 1 - e^{\lambda_t - \lambda_s}`,

    .. math:: z_s = \frac{\alpha_s}{\alpha_t} (z_t - c\, \sigma_t\, \hat\epsilon(z_t, t))
        + \sigma_s \sqrt{c}\, \epsilon,

    which is :math:`q(z_s | z_t, z)` with the predicted code for :math:`z`, and in the limit
    of many steps the reverse of the process, :math:`dz = \left( -\tfrac12 \beta z
    - \beta \nabla \log q_t \right) dt + \sqrt\beta\, d\bar w`.

    Args:
        field: a :class:`Denoiser`, a :class:`NoisedMixture`, or a :class:`Field`.
        z: draws of N(0, I), [N, D].
        n_steps: each asks the field once.
        generator: source of randomness.

    Source:
        Reverse-time diffusion equation models (Anderson, 1982) |
        https://doi.org/10.1016/0304-4149(82)90051-5; Denoising Diffusion Probabilistic Models (Ho
        et al., 2020) | https://arxiv.org/abs/2006.11239.

    Example:
        >>> field = NoisedMixture(torch.tensor([[-2.0], [2.0]]), None)
        >>> sample_sde(field, torch.randn(4, 1), 20).abs().round()
        tensor([[2.],
                [2.],
                [2.],
                [2.]])
    """
    z, process = _check_call(field, z, n_steps), field.process
    for t, s in pairwise(_grid(n_steps, z)):
        noise = _checks.randn(z.shape, z, generator)
        c = -torch.expm1(process.log_snr(t) - process.log_snr(s))
        kept = z - c * process.sigma(t) * field(z, t.item())
        z = process.alpha(s) / process.alpha(t) * kept + process.sigma(s) * c.sqrt() * noise
    return z


@torch.no_grad()
def sample_ode(field: AnyField, z: Tensor, n_steps: int) -> Tensor:
    r"""Lead draws of N(0, I) back to time 0 by the probability-flow equation, [N, D].

    In :math:`y = z/\alpha` and :math:`\rho = \sigma/\alpha` it reads

    .. math:: \frac{dy}{d\rho} = \hat\epsilon(\alpha y, t)

    and is solved by Heun's rule at the even times of :func:`sample_sde`. Its first stage alone
    would be the deterministic step of Song, Meng and Ermon (2021).

    Args:
        field: a :class:`Denoiser`, a :class:`NoisedMixture`, or a :class:`Field`.
        z: draws of N(0, I), [N, D].
        n_steps: each asks the field twice.

    Source:
        Score-Based Generative Modeling through Stochastic Differential Equations (Song et al.,
        2021) | https://arxiv.org/abs/2011.13456; Elucidating the Design Space of
        Diffusion-Based Generative Models (Karras et al., 2022) | https://arxiv.org/abs/2206.00364,
        for Heun's rule.

    Example:
        >>> field = NoisedMixture(torch.tensor([[-2.0], [2.0]]), None)
        >>> sample_ode(field, torch.tensor([[-1.0], [0.1]]), 20).round()
        tensor([[-2.],
                [ 2.]])
    """
    z = _check_call(field, z, n_steps)
    return _solve(lambda z, t: (field(z, t), None), z, _grid(n_steps, z), field.process)[0]


def log_density_ode(field: AnyField, z: Tensor, n_steps: int) -> Tensor:
    r"""Return the log density that :func:`sample_ode` gives codes at time 0, [N], nats.

    The equation is solved forwards, from z at time 0 to N(0, I) at time 1, with

    .. math:: \frac{d \log p(z)}{d \log \rho}
        = -\sigma (\mathrm{div}\, \hat\epsilon(z, t) - D \sigma),

    the divergence by D backward passes, without an estimate. It is the density of codes with the
    little noise that there is at time 0, and that of a flow which begins at N(0, I) and not at the
    noised codes of time 1: far out, and with the process as it is by default, some hundredths of a
    nat lie between the two.

    Args:
        field: as in :func:`sample_ode`, and differentiable in the codes.
        z: codes [N, D].
        n_steps: each asks the field twice.

    Source:
        Score-Based Generative Modeling through Stochastic Differential Equations (Song et al.,
        2021) | https://arxiv.org/abs/2011.13456; Neural Ordinary Differential
        Equations (Chen et al., 2018) | https://arxiv.org/abs/1806.07366.

    Example:
        >>> field = NoisedMixture(torch.zeros(1, 2), torch.zeros(1, 2))
        >>> log_density_ode(field, torch.zeros(1, 2), 20)
        tensor([-1.8379])
    """
    z = _check_call(field, z, n_steps).detach()

    @torch.enable_grad()
    def with_divergence(z: Tensor, t: float) -> tuple[Tensor, Tensor]:
        z = z.detach().requires_grad_()
        noise = field(z, t)
        divergence = torch.zeros_like(z[:, 0])
        for d in range(z.shape[1]):
            (row,) = torch.autograd.grad(noise[:, d].sum(), z, retain_graph=True)
            divergence = divergence + row[:, d]
        return noise.detach(), divergence

    end, change = _solve(with_divergence, z, _grid(n_steps, z).flip(0), field.process)
    assert change is not None
    return StandardNormal(end.shape[1]).to(end).log_prob(end) + change


def _solve(
    field: Callable[[Tensor, float], tuple[Tensor, Tensor | None]],
    z: Tensor,
    grid: Tensor,
    process: Process,
) -> tuple[Tensor, Tensor | None]:
    """The end of the path, and by how much log p(start) exceeds log p(end) where that is known."""
    total = None
    for t, s in pairwise(grid):
        step = process.sigma(s) / process.alpha(s) - process.sigma(t) / process.alpha(t)
        noise, spread = field(z, t.item())
        y = z / process.alpha(t)
        there = process.alpha(s) * (y + step * noise)
        next_noise, next_spread = field(there, s.item())
        z = process.alpha(s) * (y + 0.5 * step * (noise + next_noise))
        if spread is not None and next_spread is not None:
            # In log rho, where the steps are even, and where N(0, I) has nothing to be summed.
            half = 0.25 * (process.log_snr(s) - process.log_snr(t))
            sigma, next_sigma = process.sigma(t), process.sigma(s)
            change = -half * sigma * (spread - sigma * z.shape[1])
            change = change - half * next_sigma * (next_spread - next_sigma * z.shape[1])
            total = change if total is None else total + change
    return z, total


def guided(with_class: AnyField, without: AnyField, weight: float) -> Field:
    r"""Return :math:`(1 + w)\, \hat\epsilon(z, t, c) - w\, \hat\epsilon(z, t)`, a field.

    With w of 0 it is that of the class, and with -1 that of all.

    Args:
        with_class: the field of a class, such as `denoiser.given(labels)` or a
            :class:`NoisedMixture` of the encodings of the class.
        without: the field of all classes.
        weight: w.

    Raises:
        ValueError: when one is no field, or the two are of different processes.

    Source:
        Classifier-Free Diffusion Guidance (Ho and Salimans, 2022) |
        https://arxiv.org/abs/2207.12598.

    Example:
        >>> two = NoisedMixture(torch.tensor([[-1.0], [1.0]]), torch.zeros(2, 1))
        >>> one = NoisedMixture(torch.tensor([[1.0]]), torch.zeros(1, 1))
        >>> field = guided(one, two, 2.0)
        >>> bool(field(torch.zeros(1, 1), 0.5) < one(torch.zeros(1, 1), 0.5))
        True
    """
    for name, field in {"with_class": with_class, "without": without}.items():
        _checks.instance(field, name, *_FIELDS)
    _checks.number(weight, "weight")
    if with_class.process != without.process:
        raise ValueError(
            f"without must be of the process of with_class, got {without.process} and "
            f"{with_class.process}"
        )
    return Field(
        lambda z, t: (1 + weight) * with_class(z, t) - weight * without(z, t), with_class.process
    )


class Bound(NamedTuple):
    r"""The terms of an upper bound on -log p(z), each [N], nats; `total` is their sum.

    Attributes:
        prior: :math:`\mathrm{KL}(q(z_1 | z) \,\|\, \mathcal{N}(0, I))`.
        diffusion: what the steps back cost.
        reconstruction: the cost :math:`-\log p(z | z_0)` at one draw of :math:`z_0`.
    """

    prior: Tensor
    diffusion: Tensor
    reconstruction: Tensor

    @property
    def total(self) -> Tensor:
        """The bound on -log p(z), [N], nats."""
        return self.prior + self.diffusion + self.reconstruction


@torch.no_grad()
def bound(
    field: AnyField,
    z: Tensor,
    n_steps: int,
    continuous: bool = False,
    generator: Generator | None = None,
) -> Bound:
    r"""Return the variational bound of a diffusion, a hierarchical VAE whose encoder is fixed.

    Its encoder is the process, its decoder the ancestral step of :func:`sample_sde`, and

    .. math:: -\log p(z) &\le \mathrm{KL}(q(z_1|z) \,\|\, \mathcal{N}(0, I)) \\
        &+ \tfrac12 \sum_{i=1}^{T} (e^{\lambda_s - \lambda_t} - 1)
        \mathbb{E} \|\epsilon - \hat\epsilon(z_t, t)\|^2 \\
        &+ \mathbb{E}[-\log p(z|z_0)],

    with :math:`t = i/T`, :math:`s = (i-1)/T` and :math:`p(z|z_0) = \mathcal{N}(z_0/\alpha_0,
    \sigma_0^2/\alpha_0^2 I)`. As T grows the sum becomes
    :math:`\tfrac12 (\lambda_0 - \lambda_1) \int_0^1 \mathbb{E}\|\epsilon - \hat\epsilon\|^2
    dt`, with `continuous` estimated at T evenly spaced times, one offset drawn for all. Each
    expectation is one draw: without bias, and not the least noisy.

    Args:
        field: a :class:`Denoiser`, a :class:`NoisedMixture`, or a :class:`Field`.
        z: codes [N, D].
        n_steps: T, each asks the field once.
        continuous: whether the bound is that of infinitely many steps.
        generator: source of randomness.

    Source:
        Variational Diffusion Models (Kingma et al., 2021) |
        https://arxiv.org/abs/2107.00630.

    Example:
        >>> field = NoisedMixture(torch.zeros(1, 1), torch.zeros(1, 1))
        >>> z = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0))
        >>> terms = bound(field, z, 50, continuous=True)
        >>> bool((terms.total.mean() - 1.42).abs() < 0.3)  # the entropy of N(0, 1) is 1.42
        True
    """
    z, process = _check_call(field, z, n_steps), field.process
    if not isinstance(continuous, bool):
        raise ValueError(f"continuous must be True or False, got {continuous!r}")
    ends = torch.tensor([0.0, 1.0]).to(z)
    (alpha_0, alpha_1), (sigma_0, sigma_1) = process.alpha(ends), process.sigma(ends)
    prior = kl_divergence(alpha_1 * z, (2 * sigma_1.log()).expand_as(z))

    gap = (process.first - process.last) / n_steps
    offset = _checks.rand((1,), z, generator).item() if continuous else 1.0
    diffusion = torch.zeros_like(z[:, 0])
    for step in range(n_steps):
        t = min((step + offset) / n_steps, 1.0)
        noise = _checks.randn(z.shape, z, generator)
        error = (noise - field(process.noised(z, t, noise), t)).square().sum(1)
        diffusion = diffusion + 0.5 * (gap if continuous else math.expm1(gap)) * error
    noise = _checks.randn(z.shape, z, generator)
    scale = (sigma_0 / alpha_0).log()
    reconstruction = (0.5 * (noise.square() + math.log(2 * math.pi)) + scale).sum(1)

    return Bound(prior, diffusion, reconstruction)


def _process(process: Process | None) -> Process:
    if process is None:
        return Process()
    _checks.instance(process, "process", Process)
    return process


def _check_times(t: Tensor) -> None:
    _checks.floats(t, "t", ("...",))
    if t.device.type != "meta" and t.numel() and not 0 <= t.min() <= t.max() <= 1:
        raise ValueError(f"t must be in [0, 1], got {t.min().item():g} to {t.max().item():g}")


def _times(t: float | Tensor, z: Tensor) -> Tensor:
    """The time of each code, [N]."""
    if isinstance(t, Tensor):
        _checks.floats(t, "t", (len(z),))
        _checks.same_device(t=t, z=z)
        _check_times(t)
        return t.to(z)
    _checks.number(t, "t", 0, 1)
    return torch.full((len(z),), float(t), dtype=z.dtype, device=z.device)


def _grid(n_steps: int, z: Tensor) -> Tensor:
    """Times from 1 to 0, [n_steps + 1]."""
    return torch.linspace(1, 0, n_steps + 1, dtype=z.dtype, device=z.device)


def _check_call(field: AnyField, z: Tensor, n_steps: int = 1) -> Tensor:
    _checks.instance(field, "field", *_FIELDS)
    _checks.points(z, "z", ("N", "D"))
    _checks.count(n_steps, "n_steps")
    return z
