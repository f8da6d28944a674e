"""The autoencoder and the VAE, with likelihood and prior; a classifier.

Networks are given, not built here: any module that maps as :mod:`vaebook.models.networks`
describes will do. Images may lie on any device; what a model computes from them comes back there.
"""

__all__ = ["VAE", "Autoencoder", "Classifier", "Codes", "evaluating"]

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.models.learned_priors import VampPrior
from vaebook.models.likelihoods import Likelihood
from vaebook.models.priors import Prior, StandardNormal

_BATCH = 1000  # images encoded at a time


@dataclass(frozen=True)
class Codes:
    """Where images lie in latent space.

    Attributes:
        mu: means of q(z|x), or the codes themselves, [N, D].
        logvar: log-variances of q(z|x), [N, D]; None for codes without spread.
        labels: classes of the images, [N]; None where there are none.

    Raises:
        ValueError: when the shapes don't fit each other.

    Example:
        >>> codes = Codes(torch.zeros(3, 2), labels=torch.tensor([0, 1, 1]))
        >>> len(codes[codes.labels == 1])
        2
    """

    mu: Tensor
    logvar: Tensor | None = None
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.mu, Tensor) or self.mu.ndim != 2:
            raise ValueError(f"mu must be a tensor [N, D], got {self.mu!r}")
        n, d = self.mu.shape
        for name, part, shape in (("logvar", self.logvar, (n, d)), ("labels", self.labels, (n,))):
            if part is not None and not (isinstance(part, Tensor) and part.shape == shape):
                found = list(part.shape) if isinstance(part, Tensor) else repr(part)
                raise ValueError(
                    f"{name} must be a tensor {list(shape)} as mu is [N, D], got {found}"
                )

    def __len__(self) -> int:
        return len(self.mu)

    def __getitem__(self, index: slice | Tensor) -> "Codes":
        """Return the codes of a slice, of numbers int64 [M], or where a mask [N] is True.

        Raises:
            ValueError: when the index is none of these.
        """
        if not self._takes(index):
            raise ValueError(
                f"index must be a slice, an int64 tensor [M] of numbers below {len(self)}, or a "
                f"bool tensor [{len(self)}], got {index!r}"
            )
        logvar = None if self.logvar is None else self.logvar[index]
        labels = None if self.labels is None else self.labels[index]
        return Codes(self.mu[index], logvar, labels)

    def _takes(self, index: object) -> bool:
        if not isinstance(index, Tensor):
            return isinstance(index, slice)
        if index.dtype == torch.bool:
            return index.shape == (len(self),)
        if index.dtype != torch.int64 or index.ndim != 1:
            return False
        return bool(((index >= -len(self)) & (index < len(self))).all())

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw one z from each q(z|x), [N, D]; codes without spread are their own draw."""
        if self.logvar is None:
            return self.mu
        return VAE.reparameterize(self.mu, self.logvar, generator)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in eval mode, without gradients, and each module back afterwards.

    Example:
        >>> model = nn.Dropout(0.5)
        >>> with evaluating(model):
        ...     model.training
        False
        >>> model.training
        True
    """
    _checks.instance(model, "model", nn.Module)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


class _Encoding(nn.Module):
    """What all models share: a place, and codes of whole image sets."""

    def _encoded(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        raise NotImplementedError

    def codes(self, images: Tensor | ImageSet) -> Codes:
        """Encode images a thousand at a time, in eval mode and without gradients.

        Args:
            images: [N, C, H, W], or an image set, whose labels come along.

        Returns:
            Codes on the device of the images.

        Raises:
            ValueError: when the images don't fit the encoder.
        """
        labels = images.labels if isinstance(images, ImageSet) else None
        pixels = images.images if isinstance(images, ImageSet) else images
        _checks.floats(pixels, "images", ("N", "C", "H", "W"))
        device = next(self.parameters(), pixels).device  # networks may be without weights
        with evaluating(self):
            parts = [self._encoded(part.to(device)) for part in pixels.split(_BATCH)]
        mu = torch.cat([mu for mu, _ in parts]).to(pixels.device)
        logvars = [logvar for _, logvar in parts if logvar is not None]
        return Codes(mu, torch.cat(logvars).to(pixels.device) if logvars else None, labels)


class _LatentModel(_Encoding):
    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        latent_dim: int,
        likelihood: Likelihood,
    ) -> None:
        super().__init__()
        _checks.count(latent_dim, "latent_dim")
        for name, part, kind in (
            ("encoder", encoder, nn.Module),
            ("decoder", decoder, nn.Module),
            ("likelihood", likelihood, Likelihood),
        ):
            if not isinstance(part, kind):
                raise ValueError(f"{name} must be a {kind.__name__}, got {part!r}")
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim
        self.likelihood = likelihood

    def outputs(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the decoder's outputs for codes z [N, D], as the likelihood reads them.

        Raises:
            ValueError: when z is of another size, dtype or device than the decoder takes, or
                there are labels.
        """
        if labels is not None:
            raise ValueError("labels must be None: the decoder isn't told the class")
        return self._decoded(z, self.latent_dim)

    def _decoded(self, z: Tensor, width: int) -> Tensor:
        _checks.floats(z, "z", ("N", width), finite=False)
        _checks.suits(z, "z", self.decoder)
        return self.decoder(z)

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the mean of p(x|z), [N, C, H, W], for z [N, D].

        Args:
            z: codes [N, D], of the length D that the decoder takes.
            labels: classes [N] for a VAE whose decoder is told them, else None.
        """
        return self.likelihood.mean(self.outputs(z, labels))

    def sample(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw one image from p(x|z) for each z [N, D]; the mean is what pictures usually show."""
        return self.likelihood.sample(self.outputs(z, labels), generator)

    def log_prob(self, images: Tensor, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return log p(x|z), [N], nats, for images [N, C, H, W] and z [N, D]."""
        return self.likelihood.log_prob(self.outputs(z, labels), images)

    def target(self, image: Tensor, mask: Tensor | None = None) -> Callable[[Tensor], Tensor]:
        r"""Return the log-likelihood of one image as a function of z, for samplers.

        .. math:: z \mapsto \sum_{j \in \mathrm{mask}} \log p(x_j | z)

        Args:
            image: [C, H, W], or [1, C, H, W].
            mask: True where a pixel was seen, bool [H, W] or [C, H, W]; unseen pixels take no
                part, whatever the image has there. All were seen by default.

        Returns:
            A function from z [K, D] to [K], nats.

        Raises:
            ValueError: when the image or the mask has another shape, nothing was seen, or the
                decoder is told a class.

        Example:
            >>> from vaebook.models import Bernoulli
            >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
            >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
            >>> seen = torch.ones(28, 28, dtype=torch.bool)
            >>> seen[14:] = False  # the upper half
            >>> model.target(torch.zeros(1, 28, 28), mask=seen)(torch.zeros(5, 2)).shape
            torch.Size([5])
        """
        image = image[None] if isinstance(image, Tensor) and image.ndim == 3 else image
        _checks.floats(image, "image", (1, "C", "H", "W"), finite=False)
        if mask is not None:
            if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
                raise ValueError(f"mask must be a bool tensor, True where seen, got {mask!r}")
            if mask.shape not in (image.shape[1:], image.shape[2:]) or not mask.any():
                raise ValueError(
                    f"mask must be {list(image.shape[2:])} or {list(image.shape[1:])} with a "
                    f"pixel that was seen, got {list(mask.shape)}, {int(mask.sum())} seen"
                )
            # Whatever stands where nothing was seen must not matter, be it NaN.
            _checks.same_device(image=image, mask=mask)
            image = torch.where(mask, image, image.new_zeros(()))
        self.likelihood.check(image)
        image = image.to(next(self.decoder.parameters(), image).device)
        if getattr(self, "n_classes", 0):
            raise ValueError("a decoder that is told a class has no target without it")

        def log_prob(z: Tensor) -> Tensor:
            pixels = self.likelihood.log_prob_pixels(self.outputs(z), image)
            return (pixels if mask is None else pixels * mask.to(pixels)).flatten(1).sum(1)

        return log_prob


class Autoencoder(_LatentModel):
    r"""A deterministic code z = e(x), [N, D], and a decoder.

    Its likelihood names the loss: Bernoulli is the cross-entropy, Gaussian(½), up to a
    constant, the squared error.

    Args:
        encoder: maps images to [N, D].
        decoder: maps codes to outputs [N, C, H, W].
        latent_dim: the number of latent dimensions, D.
        likelihood: what the outputs mean.

    Example:
        >>> from vaebook.models import Gaussian
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = Autoencoder(MLPEncoder(2), MLPDecoder(2), 2, Gaussian())
        >>> model.decode(model.encode(torch.rand(5, 1, 28, 28))).shape
        torch.Size([5, 1, 28, 28])
    """

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes, [N, D]."""
        return _features(self.encoder, images, self.latent_dim)

    def _encoded(self, images: Tensor) -> tuple[Tensor, None]:
        return self.encode(images), None


class VAE(_LatentModel):
    r"""A prior p(z), a likelihood p(x|z), and the encoder's q(z|x) = N(mu, diag exp logvar).

    With `n_classes` it is conditional, a model of p(x|c): the decoder takes the code and the
    class as a one-hot vector, D + C numbers, and whatever decodes needs `labels`.

    Args:
        encoder: maps images to [N, 2 D].
        decoder: maps codes to outputs [N, C, H, W].
        latent_dim: the number of latent dimensions, D.
        likelihood: what the outputs mean.
        prior: p(z); N(0, I) by default.
        n_classes: C, where the decoder is told the class; 0 where it isn't.

    Source:
        Auto-Encoding Variational Bayes (Kingma and Welling, 2014) |
        https://arxiv.org/abs/1312.6114; Learning Structured Output Representation using Deep
        Conditional Generative Models (Sohn, Lee and Yan, 2015), for the conditional model.

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli())
        >>> model.codes(torch.rand(5, 1, 28, 28)).logvar.shape
        torch.Size([5, 2])
        >>> model.decode(model.prior.sample(3)).shape
        torch.Size([3, 1, 28, 28])
        >>> told = VAE(MLPEncoder(4), MLPDecoder(2 + 10), 2, Bernoulli(), n_classes=10)
        >>> told.decode(torch.zeros(3, 2), torch.tensor([0, 1, 2])).shape
        torch.Size([3, 1, 28, 28])
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        latent_dim: int,
        likelihood: Likelihood,
        prior: Prior | None = None,
        n_classes: int = 0,
    ) -> None:
        super().__init__(encoder, decoder, latent_dim, likelihood)
        _checks.count(n_classes, "n_classes", 0)
        prior = StandardNormal(latent_dim) if prior is None else prior
        if not isinstance(prior, Prior) or prior.latent_dim != latent_dim:
            raise ValueError(f"prior must be a Prior of {latent_dim} dimensions, got {prior!r}")
        if isinstance(prior, VampPrior) and prior.encoder is not encoder:
            raise ValueError("prior must have the model's own encoder, got that of another")
        self.prior = prior
        self.n_classes = n_classes

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and logvar of q(z|x), each [N, D]."""
        mu, logvar = _features(self.encoder, images, 2 * self.latent_dim).chunk(2, dim=1)
        return mu, logvar

    def _encoded(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode(images)

    @staticmethod
    def reparameterize(
        mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        r"""Draw :math:`z = \mu + e^{\mathrm{logvar}/2}\,\epsilon`, [N, D], differentiable."""
        _checks.floats(mu, "mu", ("N", "D"), finite=False)
        _checks.floats(logvar, "logvar", tuple(mu.shape), finite=False)
        _checks.alike(mu=mu, logvar=logvar)
        return torch.addcmul(mu, (0.5 * logvar).exp(), _checks.randn(mu.shape, mu, generator))

    def outputs(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the decoder's outputs for codes z [N, D], and classes [N] where it is told them.

        Raises:
            ValueError: when z is of another size, dtype or device than the decoder takes, labels
                are missing, or given to a decoder that isn't told them.
        """
        if not self.n_classes:
            return super().outputs(z, labels)
        if labels is None:
            raise ValueError("labels must be the class of each code, [N], got None")
        _checks.floats(z, "z", ("N", self.latent_dim), finite=False)
        _checks.integers(labels, "labels", (len(z),))
        _checks.same_device(z=z, labels=labels)
        if labels.device.type != "meta" and not 0 <= labels.min() <= labels.max() < self.n_classes:
            found = f"{int(labels.min())} to {int(labels.max())}"
            raise ValueError(f"labels must lie in 0 to {self.n_classes - 1}, got {found}")
        told = F.one_hot(labels.long(), self.n_classes).to(z)
        return self._decoded(torch.cat([z, told], dim=1), self.latent_dim + self.n_classes)


class Classifier(_Encoding):
    """A linear layer on features, which serve to compare images as well.

    Args:
        features: maps images [N, C, H, W] to features [N, F].
        n_features: the number of features, F.
        n_classes: number of classes.

    Example:
        >>> from vaebook.models.networks import MLPEncoder
        >>> classifier = Classifier(MLPEncoder(64), n_features=64)
        >>> classifier(torch.rand(5, 1, 28, 28)).shape
        torch.Size([5, 10])
        >>> classifier.codes(torch.rand(5, 1, 28, 28)).mu.shape
        torch.Size([5, 64])
    """

    def __init__(self, features: nn.Module, n_features: int, n_classes: int = 10) -> None:
        super().__init__()
        _checks.instance(features, "features", nn.Module)
        _checks.count(n_features, "n_features")
        _checks.count(n_classes, "n_classes")
        self.features = features
        self.head = nn.Linear(n_features, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, [N, n_classes]."""
        return self.head(self._encoded(images)[0])

    def _encoded(self, images: Tensor) -> tuple[Tensor, None]:
        return _features(self.features, images, self.head.in_features), None


def _features(network: nn.Module, images: Tensor, width: int) -> Tensor:
    _checks.floats(images, "images", ("N", "C", "H", "W"), finite=False)
    # An image set is float32 whatever the model is.
    images = images.to(_checks.first_weight(network, images).dtype)
    _checks.suits(images, "images", network)
    features = network(images)
    if features.shape[1:] != (width,):
        raise ValueError(
            f"encoder or features must return [N, {width}] of images, got {list(features.shape)}"
        )
    # Half precision, which autocast makes, would lose the KL.
    return features if features.dtype == torch.float64 else features.float()
