"""What a decoder's outputs mean: the likelihoods p(x|z)."""

__all__ = ["Bernoulli", "Gaussian", "Likelihood"]

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Likelihood(nn.Module):
    """What a decoder's outputs [N, 1, H, W] mean: a distribution of images."""

    def mean(self, outputs: Tensor) -> Tensor:
        """Return E[x|z], [N, 1, H, W]."""
        raise NotImplementedError

    def log_prob(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return log p(x|z) of each image under its own outputs, [N], nats."""
        raise NotImplementedError

    def log_prob_pairs(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return log p(x|z) of each of N images under each of M outputs, [N, M], nats."""
        raise NotImplementedError

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw one image from each p(x|z), [N, 1, H, W]."""
        raise NotImplementedError


class Bernoulli(Likelihood):
    r"""Independent pixels :math:`x_j \sim \mathrm{Bernoulli}(\sigma(l_j))` with logits l.

    Grey pixels are allowed: log p is linear in x, so a grey value stands for the expectation over
    its own dynamic binarisation.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2014), appendix C.1.
    """

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def log_prob(self, outputs: Tensor, images: Tensor) -> Tensor:
        # Four times as fast as binary_cross_entropy_with_logits on a CPU, and the same number.
        logits = outputs.flatten(1)
        return torch.linalg.vecdot(logits, images.flatten(1)) - F.softplus(logits).sum(1)

    def log_prob_pairs(self, outputs: Tensor, images: Tensor) -> Tensor:
        outputs = outputs.flatten(1)
        return images.flatten(1) @ outputs.T - F.softplus(outputs).sum(1)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean(outputs), generator=generator)


class Gaussian(Likelihood):
    r"""Independent pixels :math:`x_j \sim N(g_j, \sigma^2)` with one variance for all.

    .. math:: \log p(x|z) = -\frac{\|x - g\|^2}{2\sigma^2} - \frac P2 \log(2\pi\sigma^2)

    with P pixels. The variance is `fixed`; or `learned` as a parameter; or `optimal`: in training
    it is the batch's mean squared error, which maximises the above in closed form, and a running
    mean of it is kept for evaluation, as a batch norm keeps its statistics. The loss is then
    :math:`\tfrac P2 \log \mathrm{MSE}` plus a constant.

    Or it is `constrained`: a thermostat that holds the mean squared error at the `variance`
    :math:`\tau` given. A batch above it lowers :math:`\sigma^2`, which makes errors dearer, and
    one below it raises :math:`\sigma^2`, by

    .. math:: \log \sigma^2 \leftarrow \max\left(\log \tau, \log \sigma^2
        + 0.1 \operatorname{clip}(1 - \mathrm{MSE} / \tau, -0.1, 0.1)\right).

    :math:`1 / (2\sigma^2)` is the multiplier of a constraint on the distortion. Without the limit
    the thermostat would be wound up by all the batches before the networks can draw. In a linear
    VAE it cuts nothing off where the optimal variance is below :math:`\tau`: the constrained one
    is then above. An error that the optimal variance does not reach, this one does not hold.

    Source: Rybkin, Daniilidis and Levine, Simple and Effective VAE Training with Calibrated
    Decoders (2021), section 3; constrained: Rezende and Viola, Taming VAEs (2018), algorithm 1.

    Args:
        variance: :math:`\sigma^2` in squared pixels, > 0; where training starts if not fixed;
            the mean squared error to hold if constrained.
        mode: where the variance comes from.

    Raises:
        ValueError: when the variance isn't positive or the mode unknown.
    """

    log_variance: Tensor

    def __init__(
        self,
        variance: float = 0.5,
        mode: Literal["fixed", "learned", "optimal", "constrained"] = "fixed",
    ) -> None:
        super().__init__()
        if not 0 < variance < math.inf:
            raise ValueError(f"variance must be positive and finite, got {variance}")
        if mode not in ("fixed", "learned", "optimal", "constrained"):
            raise ValueError(
                f"mode must be 'fixed', 'learned', 'optimal' or 'constrained', got {mode!r}"
            )
        self.mode = mode
        self.tolerance = variance
        log_variance = torch.tensor(math.log(variance))
        if mode == "learned":
            self.log_variance = nn.Parameter(log_variance)
        else:
            self.register_buffer("log_variance", log_variance)

    @property
    def variance(self) -> Tensor:
        """The variance in use outside training, a scalar."""
        return self.log_variance.exp()

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs

    def log_prob(self, outputs: Tensor, images: Tensor) -> Tensor:
        squared = (images - outputs).flatten(1)
        squared = squared.square().sum(1)
        log_variance = self.log_variance
        if self.mode == "optimal" and self.training:
            # Detached: at the optimum the gradient with respect to the variance is zero.
            log_variance = squared.detach().mean().div(images[0].numel()).log()
            self.log_variance.lerp_(log_variance, 0.02)
        elif self.mode == "constrained" and self.training:
            mse = squared.detach().mean().div(images[0].numel())
            # A copy for this batch: autograd must not find it changed by the next one.
            gap = (1 - mse / self.tolerance).clamp(-0.1, 0.1)
            self.log_variance = (log_variance + 0.1 * gap).clamp_min(math.log(self.tolerance))
        return self._log_prob(squared, log_variance, images[0].numel())

    def log_prob_pairs(self, outputs: Tensor, images: Tensor) -> Tensor:
        squared = torch.cdist(images.flatten(1), outputs.flatten(1)).square()
        return self._log_prob(squared, self.log_variance, images[0].numel())

    @staticmethod
    def _log_prob(squared: Tensor, log_variance: Tensor, pixels: int) -> Tensor:
        constant = 0.5 * pixels * (log_variance + math.log(2 * math.pi))
        return -0.5 * squared * torch.exp(-log_variance) - constant

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype)
        return outputs + self.variance.sqrt() * noise
