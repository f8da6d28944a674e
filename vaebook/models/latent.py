"""The autoencoder and the VAE, each with the likelihood that belongs to it; a classifier."""

__all__ = ["VAE", "Autoencoder", "Classifier"]


import torch
from torch import Tensor, nn

from vaebook.models.likelihoods import Likelihood


class _LatentModel(nn.Module):
    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, latent_dim: int, likelihood: Likelihood
    ) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim
        self.likelihood = likelihood

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of p(x|z), [N, 1, H, W], for z [N, D]."""
        return self.likelihood.mean(self.decoder(z))

    def sample(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw one image from p(x|z) for each z [N, D]; the mean is what pictures usually show."""
        return self.likelihood.sample(self.decoder(z), generator)

    def log_likelihood(self, images: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z), [N], nats, for images [N, 1, H, W] and z [N, D]."""
        return self.likelihood.log_prob(self.decoder(z), images)

    def _features(self, images: Tensor, expected: int) -> Tensor:
        features = self.encoder(images)
        if features.shape[1:] != (expected,):
            raise ValueError(
                f"the encoder must return [N, {expected}] for latent_dim = {self.latent_dim}, "
                f"got {list(features.shape)}"
            )
        return features


class Autoencoder(_LatentModel):
    r"""A deterministic code z = e(x), [N, D], and a decoder.

    Its likelihood names the loss: Bernoulli is the cross-entropy, Gaussian(½) the squared error.
    """

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes, [N, D]."""
        return self._features(images, self.latent_dim)


class VAE(_LatentModel):
    r"""Prior N(0, I), likelihood p(x|z), and the encoder's q(z|x) = N(mu, diag exp logvar).

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2014).
    """

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and logvar of q(z|x), each [N, D]."""
        mu, logvar = self._features(images, 2 * self.latent_dim).chunk(2, dim=1)
        return mu, logvar

    @staticmethod
    def reparameterize(
        mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        r"""Draw :math:`z = \mu + e^{\mathrm{logvar}/2}\,\epsilon`, [N, D], differentiable."""
        noise = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        return torch.addcmul(mu, (0.5 * logvar).exp(), noise)


class Classifier(nn.Module):
    """A linear layer on features, which serve to compare images as well.

    Args:
        features: maps images [N, 1, H, W] to features [N, F].
        n_features: F.
        n_classes: C.
    """

    def __init__(self, features: nn.Module, n_features: int, n_classes: int = 10) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Linear(n_features, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, [N, C]."""
        return self.head(self.features(images))
