"""After N(0, I): priors that are learned."""

__all__ = ["PRIORS", "PRIOR_DIMS", "PRIOR_SEEDS", "recipes"]

from collections.abc import Callable
from functools import partial

import torch

from vaebook.datasets import binarize
from vaebook.models import VAE, Bernoulli
from vaebook.models.learned_priors import Flow, LearnedMixture, VampPrior
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import Prior
from vaebook.recipes import measure
from vaebook.recipes.book.data import MNIST_THIRD
from vaebook.recipes.recipe import Recipe

PART = "VI. After N(0, I)"

PRIOR_DIMS = (2, 16)
PRIOR_SEEDS = range(10)
PRIORS = ("normal", "mixture", "vamp", "flow")  # trained along with the model
_COMPONENTS = 50


def recipes() -> list[Recipe]:
    """Return the recipes of Part VI."""
    # All of a seed before the next one: a study that is stopped has whole seeds.
    return [
        *(
            _learned_prior(dim, prior, seed)
            for dim in PRIOR_DIMS
            for seed in PRIOR_SEEDS
            for prior in PRIORS
        ),
    ]


def _normal(encoder: MLPEncoder, dim: int, count: int) -> None:
    return None


def _mixture(encoder: MLPEncoder, dim: int, count: int) -> Prior:
    return LearnedMixture(torch.randn(count, dim), torch.full((count, dim), -1.0))


def _vamp(encoder: MLPEncoder, dim: int, count: int) -> Prior:
    # Noise, which needs no data set: a model is built wherever it is loaded.
    return VampPrior(encoder, dim, torch.rand(count, 1, 28, 28))


def _flow(encoder: MLPEncoder, dim: int, count: int) -> Prior:
    return Flow(dim)


_BUILDERS: dict[str, Callable[[MLPEncoder, int, int], Prior | None]] = {
    "normal": _normal,
    "mixture": _mixture,
    "vamp": _vamp,
    "flow": _flow,
}


def _model(dim: int, prior: Callable[[MLPEncoder, int, int], Prior | None], count: int) -> VAE:
    encoder, decoder = MLPEncoder(2 * dim, (64, 32)), MLPDecoder(dim, (32, 64))
    return VAE(encoder, decoder, dim, Bernoulli(), prior(encoder, dim, count))


def _learned_prior(dim: int, prior: str, seed: int, count: int = _COMPONENTS) -> Recipe:
    size = "" if count == _COMPONENTS else str(count)
    about = {
        "normal": "N(0, I)",
        "mixture": f"a learned mixture of {count}",
        "vamp": f"a VampPrior of {count}",
        "flow": "a spline flow",
    }
    return Recipe(
        f"prior-{dim}d-{prior}{size}-s{seed}",
        MNIST_THIRD,
        partial(_model, dim, _BUILDERS[prior], count),
        part=PART,
        epochs=10,
        learning_rate=4e-3,
        batch_size=256,
        transform=binarize,
        measure=measure.binary_vae,
        seed=seed,
        n_codes=1000,
        keep_steps=False,
        summary=f"784-64-32-{dim} MLP VAE on a third of binarised MNIST, {about[prior]} as prior",
        tags={"prior": prior, "dimensions": dim, "components": count, "seed": seed},
    )
