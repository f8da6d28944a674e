"""What several tests stand on: one thread, one hypothesis profile, models with a known answer."""

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass

import hypothesis
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from vaebook.datasets import ImageSet
from vaebook.models import VAE, Gaussian

# One thread: bits then repeat on any machine with that processor, whatever else it is doing.
torch.set_num_threads(1)

hypothesis.settings.register_profile(
    "book", deadline=None, max_examples=40, derandomize=True, database=None
)
hypothesis.settings.load_profile("book")


@dataclass
class LinearGaussian:
    r"""A VAE whose every density is known: :math:`x = Wz + b + \sigma\epsilon`.

    The encoder is affine. Shifted by 0 and stretched by 1 it gives the exact posterior where the
    columns of W are orthogonal, and the exact means with the best diagonal elsewhere.
    """

    model: VAE
    weight: Tensor
    bias: Tensor
    variance: float

    def marginal(self) -> MultivariateNormal:
        """Return p(x) of flattened images."""
        noise = self.variance * torch.eye(len(self.bias), dtype=self.bias.dtype)
        return MultivariateNormal(self.bias, self.weight @ self.weight.T + noise)

    def log_p(self, images: Tensor) -> Tensor:
        """Return log p(x), [N]."""
        return self.marginal().log_prob(images.flatten(1).to(self.bias.dtype))

    def posterior(self, images: Tensor) -> MultivariateNormal:
        """Return p(z|x), by Bayes' rule for Gaussians."""
        precision = torch.eye(self.weight.shape[1], dtype=self.bias.dtype)
        precision = precision + self.weight.T @ self.weight / self.variance
        covariance = torch.linalg.inv(precision)
        centred = images.flatten(1).to(self.bias.dtype) - self.bias
        mean = centred @ self.weight @ covariance / self.variance
        return MultivariateNormal(mean, covariance.expand(len(images), -1, -1))

    def images(self, n: int, seed: int = 1_000_003) -> Tensor:
        """Draw from p(x), [n, 1, S, S]; not with the seed that a test gives its estimator."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(n, self.weight.shape[1], generator=generator, dtype=torch.float64)
        noise = torch.randn(n, len(self.bias), generator=generator, dtype=torch.float64)
        x = z @ self.weight.double().T + self.bias.double() + math.sqrt(self.variance) * noise
        side = math.isqrt(len(self.bias))
        return x.reshape(n, 1, side, side).to(self.bias.dtype)


def _linear_gaussian(
    latent_dim: int = 2,
    *,
    side: int = 3,
    variance: float = 0.3,
    orthogonal: bool = True,
    shift: float = 0.0,
    stretch: float = 1.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> LinearGaussian:
    generator = torch.Generator().manual_seed(seed)
    pixels = side**2
    weight = torch.randn(pixels, latent_dim, generator=generator, dtype=torch.float64)
    if orthogonal:
        weight = torch.linalg.qr(weight).Q * torch.linspace(0.5, 1.5, latent_dim).double()
    bias = torch.rand(pixels, generator=generator, dtype=torch.float64)
    precision = torch.eye(latent_dim, dtype=torch.float64) + weight.T @ weight / variance
    # KL(q || posterior) is least over diagonal q at the inverse of the precision's diagonal.
    logvar = -precision.diagonal().log() + math.log(stretch)
    to_mean = torch.linalg.solve(precision, weight.T / variance)

    encoder = nn.Linear(pixels, 2 * latent_dim)
    decoder = nn.Linear(latent_dim, pixels)
    model = VAE(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, (1, side, side))),
        latent_dim,
        Gaussian(variance),
    )
    model.to(dtype).eval().requires_grad_(False)
    encoder.weight.copy_(torch.cat([to_mean, torch.zeros_like(to_mean)]))
    encoder.bias.copy_(torch.cat([shift - to_mean @ bias, logvar]))
    decoder.weight.copy_(weight)
    decoder.bias.copy_(bias)
    model.likelihood.log_variance.fill_(math.log(variance))
    return LinearGaussian(model, weight.to(dtype), bias.to(dtype), variance)


@pytest.fixture(scope="session")
def linear_gaussian() -> Callable[..., LinearGaussian]:
    """Return a maker of linear-Gaussian VAEs."""
    return _linear_gaussian


@pytest.fixture(scope="session")
def blobs() -> ImageSet:
    """Return 300 images of 8 × 8 pixels with three classes, cheap to learn."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    centre = torch.tensor([[2.0, 2.0], [2.0, 5.0], [5.0, 3.5]])[labels]
    centre = centre + 0.6 * torch.randn(300, 2, generator=generator)
    axis = torch.arange(8.0)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    squared = (x - centre[:, :1, None]) ** 2 + (y - centre[:, 1:, None]) ** 2
    images = torch.exp(-squared / 3)[:, None]
    return ImageSet(images, labels, names=("a", "b", "c"), title="blobs")


def pytest_collection_finish() -> None:
    """Spare the collector what was imported: it looks at what tests make only."""
    gc.collect()
    gc.freeze()
