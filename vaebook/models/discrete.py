"""Models with discrete codes: one of K categories, or a vector of a codebook at each place."""

__all__ = ["VQVAE", "CategoricalVAE"]

import math

import torch
from torch import Tensor, nn

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.models import codebooks
from vaebook.models.latent import _features, _LatentModel
from vaebook.models.likelihoods import Likelihood


class CategoricalVAE(_LatentModel):
    r"""A code that is one of K categories, with the uniform prior, and q(z|x) from the encoder.

    The decoder takes points of the simplex [N, K]; the categories are its corners. All that a VAE
    with a continuous code has to estimate is a sum of K terms here: the ELBO, its gradient, and
    the evidence.

    Args:
        encoder: maps images to the logits of q, [N, K].
        decoder: maps points of the simplex [N, K] to outputs [N, C, H, W].
        n_categories: K.
        likelihood: what the outputs mean.

    Source:
        Categorical Reparameterization with Gumbel-Softmax (Jang, Gu and Poole, 2017), for such
        models | https://arxiv.org/abs/1611.01144

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = CategoricalVAE(MLPEncoder(16), MLPDecoder(16), 16, Bernoulli())
        >>> images = torch.rand(5, 1, 28, 28)
        >>> bool((model.elbo(images) <= model.log_evidence(images)).all())
        True
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, n_categories: int, likelihood: Likelihood
    ) -> None:
        _checks.count(n_categories, "n_categories", 2)
        super().__init__(encoder, decoder, n_categories, likelihood)

    def encode(self, images: Tensor) -> Tensor:
        """Return the logits of q(z|x), [N, K]."""
        return _features(self.encoder, images, self.latent_dim)

    def _encoded(self, images: Tensor) -> tuple[Tensor, None]:
        return self.encode(images).softmax(-1), None

    def values(self, images: Tensor | ImageSet) -> Tensor:
        """Return log p(x|k) of each image for each category, [N, K], nats."""
        weight = _checks.first_weight(self.decoder, torch.zeros(()))
        corners = torch.eye(self.latent_dim, dtype=weight.dtype, device=weight.device)
        pixels = images.images if isinstance(images, ImageSet) else images
        return self.likelihood.log_prob_pairs(self.outputs(corners), pixels)

    def elbo(self, images: Tensor | ImageSet) -> Tensor:
        r"""Return the exact ELBO, [N], nats.

        .. math:: \sum_k q_k \,(\log p(x|k) - \log K - \log q_k)
        """
        pixels = images.images if isinstance(images, ImageSet) else images
        log_q = self.encode(pixels).log_softmax(-1)
        inside = self.values(pixels) - math.log(self.latent_dim) - log_q
        return (log_q.exp() * inside).sum(-1)

    def log_evidence(self, images: Tensor | ImageSet) -> Tensor:
        r"""Return :math:`\log p(x) = \log \frac1K \sum_k p(x|k)`, exact, [N], nats."""
        return self.values(images).logsumexp(-1) - math.log(self.latent_dim)


class VQVAE(_LatentModel):
    r"""A VQ-VAE: each of P places of the code is replaced by the nearest of K vectors.

    .. math:: z_q = e_k, \quad k = \arg\min_j \|z_e(x) - e_j\|

    Codes are [N, P D], the places one after the other, as the decoder takes them; all places
    share the codebook.

    Args:
        encoder: maps images to [N, P D].
        decoder: maps codes [N, P D] to outputs [N, C, H, W].
        codebook: the vectors at the start, [K, D]; they are learned.
        n_places: P.
        likelihood: what the outputs mean.

    Source:
        Neural Discrete Representation Learning (van den Oord, Vinyals and Kavukcuoglu, 2017) |
        https://arxiv.org/abs/1711.00937

    Example:
        >>> from vaebook.models import Bernoulli
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = VQVAE(MLPEncoder(8), MLPDecoder(8), torch.randn(16, 2), 4, Bernoulli())
        >>> images = torch.rand(5, 1, 28, 28)
        >>> model.indices(images).shape, model.decode(model.quantized(images)).shape
        (torch.Size([5, 4]), torch.Size([5, 1, 28, 28]))
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        codebook: Tensor,
        n_places: int,
        likelihood: Likelihood,
    ) -> None:
        _checks.points(codebook, "codebook", ("K", "D"))
        _checks.count(n_places, "n_places")
        super().__init__(encoder, decoder, n_places * codebook.shape[1], likelihood)
        self.n_places = n_places
        self.codebook = nn.Parameter(codebook.detach().clone())

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes before they are replaced, [N, P D]."""
        return _features(self.encoder, images, self.latent_dim)

    def _encoded(self, images: Tensor) -> tuple[Tensor, None]:
        return self.encode(images), None

    def indices(self, images: Tensor) -> Tensor:
        """Return the index of the vector at each place, int64 [N, P]."""
        try:
            return self.nearest(self.encode(images))
        except ValueError as error:
            raise ValueError(f"images must have codes near vectors: {error}") from None

    def nearest(self, z: Tensor) -> Tensor:
        """Return the index of the vector that is nearest at each place of codes, int64 [N, P].

        Args:
            z: codes before they are replaced, [N, P D].
        """
        _checks.points(z, "z", ("N", self.latent_dim))
        flat = z.detach().reshape(-1, self.codebook.shape[1])
        return codebooks.nearest(flat, self.codebook.detach()).view(len(z), self.n_places)

    def embed(self, indices: Tensor) -> Tensor:
        """Return the codes that indices of vectors stand for, [N, P] to [N, P D].

        Raises:
            ValueError: when one is that of no vector, or there is another number of places.
        """
        _checks.integers(indices, "indices", ("N", self.n_places))
        _checks.same_device(indices=indices, codebook=self.codebook)
        known = len(self.codebook)
        if indices.device.type != "meta" and not 0 <= indices.min() <= indices.max() < known:
            found = f"{int(indices.min())} to {int(indices.max())}"
            raise ValueError(f"indices must lie in 0 to {known - 1}, got {found}")
        return self.codebook[indices.long()].flatten(1)

    def quantized(self, images: Tensor) -> Tensor:
        """Return the codes as the decoder gets them, [N, P D]."""
        return self.embed(self.indices(images))
