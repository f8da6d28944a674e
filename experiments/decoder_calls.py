"""How often a chain of elliptical slice sampling that runs alone calls the decoder.

    make experiment NAME=decoder_calls

A row is one of the first five MNIST test images, under the model `mnist-cnn-16d`: one chain of
1,000 steps on p(z|x) from a draw of q(z|x), and `calls`, its calls of the decoder per step. The
study `pcn_decoder` runs four chains in one batch, which are all evaluated until the last has found
its place, so that its own count is too high for a chain by itself; of the other samplers a step is
one call. The chapter on pCN reads both tables.
"""

from functools import cache
from typing import Any

from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.latent import samplers
from vaebook.tables import Experiment

MODEL, IMAGES, STEPS = "mnist-cnn-16d", 5, 1000


@cache
def model_and_images() -> tuple[Any, Tensor]:
    return recipes.load(MODEL).model, datasets.mnist(train=False).images[:IMAGES]


def row(image: int) -> dict[str, Any]:
    """Count the calls of one chain."""
    model, images = model_and_images()
    generator = Generator().manual_seed(image)
    start = model.codes(images[image : image + 1]).sample(generator)
    chain = samplers.elliptical_slice(
        model.target(images[image]), start, STEPS, generator=generator, progress=False
    )
    return {"calls": float(f"{(chain.evaluations - 1) / STEPS:.4g}")}


def weights_used(image: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.load(MODEL).card["sha256"]]


decoder_calls = Experiment(
    "decoder_calls",
    row,
    {"image": range(IMAGES)},
    uses=weights_used,
    about={"steps": STEPS},
)
