r"""What a decoder's outputs mean: the likelihoods p(x|z).

`log_prob` is pure: it changes nothing, in training as in evaluation. A variance that follows the
errors is moved by :func:`vaebook.training.fit`, which calls `adapt` after each step with the
`statistics` that the objective has recorded.
"""

__all__ = [
    "Bernoulli",
    "ConstrainedGaussian",
    "Gaussian",
    "GecoGaussian",
    "LearnedGaussian",
    "Likelihood",
    "OptimalGaussian",
]

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaebook import _checks
from vaebook.datasets import ImageSet


class Likelihood(nn.Module):
    """A distribution of images [N, C, H, W] for each of a decoder's outputs [N, C, H, W].

    `version` is raised when the code changes a result of training.
    """

    version: ClassVar[int] = 1

    def mean(self, outputs: Tensor) -> Tensor:
        """Return E[x|z], [N, C, H, W]."""
        raise NotImplementedError

    def log_prob(self, outputs: Tensor, images: Tensor | ImageSet) -> Tensor:
        """Return log p(x|z) of each image under its own outputs, [N], nats.

        Args:
            outputs: of the decoder, [N, C, H, W].
            images: [N, C, H, W], or an image set, whose pixels have been looked at already.

        Raises:
            ValueError: when the shapes differ, or the likelihood doesn't take the images.
        """
        return self.log_prob_pixels(outputs, self._checked(images)).flatten(1).sum(1)

    def log_prob_pixels(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return log p(x_j|z) of each pixel, [N, C, H, W], nats; of images that were checked.

        One image [1, C, H, W] is compared with all outputs.

        Raises:
            ValueError: when the shapes differ.
        """
        raise NotImplementedError

    def log_prob_pairs(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return log p(x|z) of each of N images under each of M outputs, [N, M], nats.

        Raises:
            ValueError: when the shapes differ, or the likelihood doesn't take the images.
        """
        raise NotImplementedError

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw one image from each p(x|z), [N, C, H, W]."""
        raise NotImplementedError

    def check(self, images: Tensor | ImageSet) -> None:
        """Refuse images that the likelihood gives no density, naming the first.

        The pixels of an image set are known to be finite, and most sets have noted whether they
        are grey values, so that batches need not be looked at again.

        Raises:
            ValueError: when they aren't finite floats [N, C, H, W].
        """
        if not isinstance(images, ImageSet):
            _checks.floats(images, "images", ("N", "C", "H", "W"))

    def _checked(self, images: Tensor | ImageSet) -> Tensor:
        self.check(images)
        return images.images if isinstance(images, ImageSet) else images

    def statistics(self, outputs: Tensor, images: Tensor) -> dict[str, Tensor]:
        """Return what `adapt` needs of a batch, by name, each [N]; nothing by default."""
        return {}

    def adapt(self, statistics: Mapping[str, float]) -> None:
        """Update what follows the errors, after a step, by a batch's mean `statistics`."""


class Bernoulli(Likelihood):
    r"""Independent pixels :math:`x_j \sim \mathrm{Bernoulli}(\sigma(l_j))` with logits l.

    Grey pixels in [0, 1] are allowed: log p is linear in x, so a grey value stands for the
    expectation over its own dynamic binarisation.

    Source:
        Auto-Encoding Variational Bayes (Kingma and Welling, 2014), appendix C.1 |
        https://arxiv.org/abs/1312.6114

    Example:
        >>> Bernoulli().log_prob(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
        tensor([-2.7726])
    """

    def mean(self, outputs: Tensor) -> Tensor:
        return _full(outputs).sigmoid()

    def log_prob(self, outputs: Tensor, images: Tensor | ImageSet) -> Tensor:
        images = self._checked(images)
        outputs = _full(outputs)
        _same_shape(outputs, images)
        logits, pixels = outputs.flatten(1), images.to(outputs.dtype).flatten(1)
        with _in_full(outputs):
            # A quarter of the time that binary_cross_entropy_with_logits takes on a CPU.
            return torch.linalg.vecdot(logits, pixels) - F.softplus(logits).sum(1)

    def log_prob_pixels(self, outputs: Tensor, images: Tensor) -> Tensor:
        outputs = _full(outputs)
        _same_shape(outputs, images, one=True)
        return outputs * images.to(outputs.dtype) - F.softplus(outputs)

    def log_prob_pairs(self, outputs: Tensor, images: Tensor) -> Tensor:
        self.check(images)
        outputs = _full(outputs)
        _same_shape(outputs[:1], images[:1])
        logits, pixels = outputs.flatten(1), images.to(outputs.dtype).flatten(1)
        with _in_full(outputs):
            return pixels @ logits.T - F.softplus(logits).sum(1)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        probabilities = self.mean(outputs)
        if probabilities.device.type != "meta" and bool(probabilities.isnan().any()):
            raise ValueError("outputs must be numbers to draw images from, got NaN")
        return _checks.bernoulli(probabilities, generator)

    def check(self, images: Tensor | ImageSet) -> None:
        if isinstance(images, ImageSet):
            if images.in_unit_range:
                return
            images = images.images
        _checks.floats(images, "images", ("N", "C", "H", "W"), finite=False)
        if images.device.type == "meta":
            return  # without values
        low, high = (bound.item() for bound in images.aminmax())
        if not (low >= 0 and high <= 1):  # NaN is in no range
            bad = ~((images >= 0) & (images <= 1)).flatten(1).all(1)
            raise ValueError(
                "images must lie in [0, 1] under a Bernoulli likelihood, got "
                f"{low:g} to {high:g}; the first such image is number {int(bad.nonzero()[0])}. "
                "Divide by 255, or take a Gaussian likelihood for standardised pixels"
            )


class Gaussian(Likelihood):
    r"""Independent pixels :math:`x_j \sim \mathcal{N}(g_j, \sigma^2)` with one fixed variance.

    .. math:: \log p(x|z) = -\frac{\|x - g\|^2}{2\sigma^2} - \frac P2 \log(2\pi\sigma^2)

    with P numbers per image.

    Args:
        variance: :math:`\sigma^2`, in squared pixels, positive.

    Raises:
        ValueError: when the variance isn't positive and finite.

    Example:
        >>> Gaussian(0.5).log_prob(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
        tensor([-1.5724])
    """

    log_variance: Tensor

    def __init__(self, variance: float = 0.5) -> None:
        super().__init__()
        _checks.number(variance, "variance", 0, open=True)
        self.start = float(variance)
        self._keep(torch.tensor(math.log(variance)))

    def _keep(self, log_variance: Tensor) -> None:
        self.register_buffer("log_variance", log_variance)

    def extra_repr(self) -> str:
        return f"{self.start:g}"

    @property
    def variance(self) -> Tensor:
        """The variance in use, a scalar."""
        return self.log_variance.exp()

    def mean(self, outputs: Tensor) -> Tensor:
        return _full(outputs)

    def log_prob(self, outputs: Tensor, images: Tensor | ImageSet) -> Tensor:
        images = self._checked(images)
        return self._log_prob(self._squared(outputs, images), images[0].numel())

    def log_prob_pixels(self, outputs: Tensor, images: Tensor) -> Tensor:
        outputs = _full(outputs)
        _same_shape(outputs, images, one=True)
        return self._log_prob((images.to(outputs.dtype) - outputs).square(), 1)

    def log_prob_pairs(self, outputs: Tensor, images: Tensor) -> Tensor:
        self.check(images)
        outputs = _full(outputs)
        _same_shape(outputs[:1], images[:1])
        # From their middle, as squares of what is far away would drown those of the differences.
        middle = outputs.mean(0)
        means = (outputs - middle).flatten(1)
        pixels = (images.to(outputs.dtype) - middle).flatten(1)
        with _in_full(outputs):
            products = pixels @ means.T
        squared = pixels.square().sum(1)[:, None] + means.square().sum(1) - 2 * products
        return self._log_prob(squared, images[0].numel())

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        outputs = _full(outputs)
        noise = _checks.randn(outputs.shape, outputs, generator)
        return outputs + self.variance.sqrt() * noise

    def statistics(self, outputs: Tensor, images: Tensor) -> dict[str, Tensor]:
        """Return each image's mean squared error, `mse`, [N], squared pixels."""
        return {"mse": self._squared(outputs, images) / images[0].numel()}

    def _log_prob(self, squared: Tensor, numbers: int) -> Tensor:
        constant = 0.5 * numbers * (self.log_variance + math.log(2 * math.pi))
        return -0.5 * squared * torch.exp(-self.log_variance) - constant

    @staticmethod
    def _squared(outputs: Tensor, images: Tensor) -> Tensor:
        outputs = _full(outputs)
        _same_shape(outputs, images)
        return (images.to(outputs.dtype) - outputs).flatten(1).square().sum(1)


class LearnedGaussian(Gaussian):
    """A Gaussian whose one variance is a parameter, learned along with the networks.

    Args:
        variance: where it starts. Its logarithm moves by no more than the learning rate per
            step, so that it must not start too far away.

    Source:
        Simple and Effective VAE Training with Calibrated Decoders (Rybkin, Daniilidis and Levine,
        2021), section 3 | https://arxiv.org/abs/2006.13202

    Example:
        >>> [name for name, _ in LearnedGaussian(0.1).named_parameters()]
        ['log_variance']
    """

    def _keep(self, log_variance: Tensor) -> None:
        self.log_variance = nn.Parameter(log_variance)


class _Adaptive(Gaussian):
    """A Gaussian whose variance follows the mean squared error of the batches."""

    def initial_buffers(self) -> dict[str, Tensor]:
        """Return the first values of what `adapt` moves: training changes no fingerprint."""
        return {"log_variance": self.log_variance.new_tensor(math.log(self.start))}

    def _mse(self, statistics: Mapping[str, float]) -> float:
        _checks.instance(statistics, "statistics", Mapping)
        if "mse" not in statistics:
            raise ValueError(
                f"statistics must have the mse, which {type(self).__name__} follows, got "
                f"{', '.join(statistics) or 'none'}: let the objective return "
                f"model.likelihood.statistics(...) too"
            )
        _checks.number(statistics["mse"], "mse", 0)
        return statistics["mse"]


class OptimalGaussian(_Adaptive):
    r"""A Gaussian whose variance follows the mean squared error, which is where it is best.

    .. math:: \sigma^{2\star} = \frac{1}{NP} \sum_n \|x_n - g_n\|^2, \qquad
        \log \sigma^2 \leftarrow \log \sigma^2 + 0.1 \, (\log \mathrm{MSE} - \log \sigma^2)

    after each step, so that noise of single batches averages out over about ten of them.

    Args:
        variance: where it starts.

    Source:
        Simple and Effective VAE Training with Calibrated Decoders (Rybkin, Daniilidis and Levine,
        2021), section 3.1 | https://arxiv.org/abs/2006.13202

    Example:
        >>> likelihood = OptimalGaussian(0.5)
        >>> for _ in range(100):
        ...     likelihood.adapt({"mse": 0.01})
        >>> round(likelihood.variance.item(), 3)
        0.01
    """

    version = 2

    def adapt(self, statistics: Mapping[str, float]) -> None:
        mse = max(self._mse(statistics), torch.finfo(self.log_variance.dtype).tiny)
        self.log_variance.lerp_(self.log_variance.new_tensor(math.log(mse)), 0.1)


class ConstrainedGaussian(_Adaptive):
    r"""A Gaussian whose variance is a thermostat that holds the mean squared error at a value.

    A batch above :math:`\tau` lowers :math:`\sigma^2`, which makes errors dearer, and one below
    raises it, by

    .. math:: \log \sigma^2 \leftarrow \max\left(\log \tau, \log \sigma^2
        + 0.1 \operatorname{clip}(1 - \mathrm{MSE} / \tau, -0.1, 0.1)\right).

    The multiplier of a constraint on the distortion is :math:`1 / (2\sigma^2)`. Without the limit
    :math:`\sigma^2 \ge \tau` the thermostat would be wound up by all the batches before the
    networks can draw. In a linear VAE the limit cuts nothing off where the optimal variance is
    below :math:`\tau`. A :math:`\tau` that the error does not reach with the optimal variance is
    not held by this one either.

    Args:
        variance: :math:`\tau`, the mean squared error to hold.

    Source:
        After Taming VAEs (Rezende and Viola, 2018) | https://arxiv.org/abs/1810.00597; their own
        algorithm is :class:`GecoGaussian`.

    Example:
        >>> likelihood = ConstrainedGaussian(0.01)
        >>> likelihood.adapt({"mse": 0.005})  # the error may be larger
        >>> bool(likelihood.variance > 0.01)
        True
    """

    version = 2

    def adapt(self, statistics: Mapping[str, float]) -> None:
        gap = min(max(1 - self._mse(statistics) / self.start, -0.1), 0.1)
        self.log_variance.add_(0.1 * gap).clamp_min_(math.log(self.start))


class GecoGaussian(_Adaptive):
    r"""A Gaussian whose variance is GECO's multiplier, without a limit.

    The multiplier :math:`\lambda = 1 / (2\sigma^2)` of the constraint that the mean squared error
    be at most :math:`\tau` starts at 1 and follows a moving average of how much it is missed by:

    .. math:: \bar C \leftarrow 0.99\,\bar C + 0.01\,(\mathrm{MSE} / \tau - 1), \qquad
        \log \lambda \leftarrow \log \lambda + \eta\,\bar C

    after each step; the average starts at its first value. The paper leaves step and scale open:
    where a batch can miss the tolerance by much and keep it by little, a large step winds the
    multiplier up in the first epochs, and it does not come down again.

    Args:
        variance: :math:`\tau`, the mean squared error to hold.
        step: :math:`\eta`.

    Source:
        Taming VAEs (Rezende and Viola, 2018), algorithm 1 | https://arxiv.org/abs/1810.00597

    Example:
        >>> likelihood = GecoGaussian(0.01)
        >>> likelihood.adapt({"mse": 0.02})  # the error must be smaller
        >>> round(likelihood.variance.item(), 4)
        0.495
    """

    missed: Tensor

    def __init__(self, variance: float = 0.5, step: float = 0.01) -> None:
        super().__init__(variance)
        _checks.number(step, "step", 0, open=True)
        self.step = float(step)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, step={self.step:g}"

    def _keep(self, log_variance: Tensor) -> None:
        super()._keep(log_variance.new_tensor(math.log(0.5)))
        # Before the first step -1, which would mean no error at all.
        self.register_buffer("missed", log_variance.new_tensor(-1.0))

    def initial_buffers(self) -> dict[str, Tensor]:
        """Return multiplier and average as they were at first."""
        start = self.log_variance.new_tensor(math.log(0.5))
        return {"log_variance": start, "missed": self.missed.new_tensor(-1.0)}

    def adapt(self, statistics: Mapping[str, float]) -> None:
        missed = self._mse(statistics) / self.start - 1
        if self.missed == -1:
            self.missed.fill_(missed)
        self.missed.lerp_(self.missed.new_tensor(missed), 0.01)
        self.log_variance.sub_(self.step * self.missed)


def _same_shape(outputs: Tensor, images: Tensor, one: bool = False) -> None:
    """Refuse images of another shape or device than the outputs; `one` for all may do."""
    _checks.floats(images, "images", ("N", "C", "H", "W"), finite=False)
    shape = [1, *outputs.shape[1:]] if one and len(images) == 1 else list(outputs.shape)
    if list(images.shape) != shape:
        raise ValueError(
            f"images must have the shape of the decoder's outputs {list(outputs.shape)}, "
            f"got {list(images.shape)}"
        )
    _checks.same_device(outputs=outputs, images=images)


def _full(outputs: Tensor) -> Tensor:
    """Return what autocast made of a network's outputs in float32: sums of pixels need it."""
    if isinstance(outputs, Tensor) and outputs.dtype in (torch.float16, torch.bfloat16):
        outputs = outputs.float()
    _checks.floats(outputs, "outputs", ("...", "C", "H", "W"), finite=False)
    return outputs


def _in_full(value: Tensor) -> AbstractContextManager[Any]:
    """Keep autocast from taking products of what is here in half precision."""
    kind = value.device.type
    known = torch.amp.is_autocast_available(kind)  # meta's isn't
    return torch.autocast(kind, enabled=False) if known else nullcontext()
