"""Where the classes live: narrow models over several seeds, snapshots, a classifier.

Narrow networks and large batches: what is asked of them is their spread over seeds.
"""

__all__ = ["recipes"]

from functools import partial

from torch import nn

from vaebook.models import VAE, Bernoulli, Classifier
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.objectives import cross_entropy, negative_elbo
from vaebook.recipes import measure
from vaebook.recipes.book.data import FASHION, MNIST
from vaebook.recipes.recipe import Recipe

PART = "II. Where the classes live"

# About as many in each phase of the KL as at the slow end.
_PHASES = (0, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 430, 600, 860, 1290, 2150, 3440)
_SNAPSHOTS = (*_PHASES, 5160, 8600, 12900)


def _small_vae(latent_dim: int) -> VAE:
    encoder = MLPEncoder(2 * latent_dim, (64,), initial="torch")
    return VAE(encoder, MLPDecoder(latent_dim, (64,), initial="torch"), latent_dim, Bernoulli())


def _classifier() -> Classifier:
    return Classifier(nn.Sequential(MLPEncoder(64, (128,), initial="torch"), nn.ReLU()), 64)


def recipes() -> list[Recipe]:
    """Return the recipes of Part II."""
    small = partial(Recipe, part=PART, learning_rate=4e-3, batch_size=512, keep_steps=False)
    vae = "784-64-{0} MLP VAE on {1}, Bernoulli".format
    seeds = [
        small(
            f"{prefix}-small-8d-s{seed}",
            data,
            partial(_small_vae, 8),
            seed=seed,
            n_codes=5000,
            summary=vae(8, title),
            tags={"data": prefix, "seed": seed},
        )
        for prefix, title, data in (
            ("mnist", "MNIST", MNIST),
            ("fashion", "Fashion-MNIST", FASHION),
        )
        for seed in range(5)
    ]
    films = [
        small(
            f"mnist-snapshots-{dim}d",
            MNIST,
            partial(_small_vae, dim),
            batch_size=128,
            n_codes=500,
            keep_steps=True,
            snapshots=_SNAPSHOTS,
            summary=vae(dim, "MNIST") + ", with snapshots of its codes",
        )
        for dim in (2, 3)
    ]
    return [
        *seeds,
        small(
            "mnist-small-8d-beta4-s0",
            MNIST,
            partial(_small_vae, 8),
            partial(negative_elbo, beta=4.0),
            n_codes=5000,
            summary=vae(8, "MNIST") + ", beta = 4",
            tags={"data": "mnist", "beta": 4.0, "seed": 0},
        ),
        *films,
        Recipe(
            "mnist-classifier",
            MNIST,
            _classifier,
            cross_entropy,
            part=PART,
            epochs=12,
            batch_size=256,
            measure=measure.classifier,
            n_codes=5000,
            summary="784-128-64-10 classifier on MNIST",
        ),
    ]
