"""From autoencoders to the ELBO: MLPs and a CNN on MNIST, Fashion-MNIST and UCI's digits."""

__all__ = ["recipes"]

from functools import partial

from vaebook.models import VAE, Autoencoder, Bernoulli
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder
from vaebook.objectives import reconstruction_only
from vaebook.recipes import measure
from vaebook.recipes.book.data import DIGITS, FASHION, MNIST
from vaebook.recipes.recipe import Recipe

PART = "I. From autoencoders to the ELBO"


def _mlp_vae(latent_dim: int) -> VAE:
    encoder = MLPEncoder(2 * latent_dim, initial="torch")
    return VAE(encoder, MLPDecoder(latent_dim, initial="torch"), latent_dim, Bernoulli())


def _mlp_autoencoder(latent_dim: int) -> Autoencoder:
    encoder = MLPEncoder(latent_dim, initial="torch")
    return Autoencoder(encoder, MLPDecoder(latent_dim, initial="torch"), latent_dim, Bernoulli())


def _cnn_vae(latent_dim: int) -> VAE:
    shape = (1, 28, 28)
    encoder = ConvEncoder(2 * latent_dim, (16, 32), hidden=128, shape=shape)
    decoder = ConvDecoder(latent_dim, (16, 8), hidden=128, shape=shape)
    return VAE(encoder, decoder, latent_dim, Bernoulli())


def recipes() -> list[Recipe]:
    """Return the recipes of Part I."""
    part = partial(Recipe, part=PART)
    vae = "784-400-100-{0} MLP VAE on {1}, Bernoulli".format
    return [
        *(
            part(
                f"mnist-mlp-{dim}d",
                MNIST,
                partial(_mlp_vae, dim),
                n_samples=5000,
                summary=vae(dim, "MNIST"),
            )
            for dim in (2, 8, 20)
        ),
        part(
            "mnist-cnn-16d",
            MNIST,
            partial(_cnn_vae, 16),
            n_samples=1000,
            summary="two conv + max-pool blocks, 16 latents, VAE on MNIST, Bernoulli",
        ),
        part(
            "mnist-ae-2d",
            MNIST,
            partial(_mlp_autoencoder, 2),
            reconstruction_only,
            measure=measure.autoencoder,
            summary="784-400-100-2 MLP autoencoder on MNIST, cross-entropy",
        ),
        *(
            part(
                f"fashion-mlp-{dim}d",
                FASHION,
                partial(_mlp_vae, dim),
                n_samples=500,
                keep_steps=False,
                summary=vae(dim, "Fashion-MNIST"),
            )
            for dim in (2, 20)
        ),
        part(
            "digits-mlp-2d",
            DIGITS,
            partial(_mlp_vae, 2),
            epochs=60,
            n_samples=100,
            summary=vae(2, "UCI digits in MNIST's frame"),
        ),
    ]
