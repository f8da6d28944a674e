"""The sweep over beta between the two prices where its last latent goes.

    make experiment NAME=price_gaps

The threshold of a linear VAE, the largest eigenvalue of the images' covariance over the
likelihood's variance, is at 2,639 on the noisy heatmaps and at 10.2 on MNIST, and the sweep's
nearest prices are a factor of ten apart, 1,000 and 10,000, and 3 and 30. A row is about a model of
the sweep at one of two prices in between, 1,500 and 4,000, or 6 and 15, with the sweep's seeds.

Written down before the first of them was trained: at the lower of the two some latent carries more
than .1 nats, and at the higher none does, in every seed.

The chapter on beta reads the table.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Generator

from vaebook import datasets, objectives, recipes
from vaebook.recipes.book.part5 import NOISE, SWEEP_SEEDS
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")
PRICES = {"heatmap": (1500.0, 4000.0), "mnist": (6.0, 15.0)}


def recipe(data: str, beta: float, seed: int) -> recipes.Recipe:
    """Return a recipe of the sweep at another price."""
    own = recipes.get(f"beta-{data}-b1-s{seed}")
    objective = partial(objectives.negative_elbo, beta=beta)
    return replace(own, name=f"gaps-{data}-b{beta:g}-s{seed}", objective=objective)


def row(data: str, beta: float, seed: int) -> dict[str, Any]:
    """Train one model and measure its code."""
    model = recipes.train(recipe(data, beta, seed), WEIGHTS, progress=False).model
    _, test = recipes.get(f"beta-{data}-b1-s0").sets()
    images = test.images
    if data == "heatmap":
        images = datasets.add_noise(images, NOISE, Generator().manual_seed(0))
    codes = model.codes(images)
    decoded = model.decode(codes.sample(Generator().manual_seed(0))).detach()
    kl_each = objectives.kl_per_latent(codes.mu, codes.logvar).mean(0)
    return {
        "rate": round(kl_each.sum().item(), 4),
        "squared_error": round((decoded - images).flatten(1).square().sum(1).mean().item(), 4),
        "active": int((kl_each > 0.1).sum()),
        "kl_each": [round(value, 4) for value in kl_each.tolist()],
    }


price_gaps = Experiment(
    "price_gaps",
    row,
    [
        {"data": data, "beta": beta, "seed": seed}
        for data, prices in PRICES.items()
        for beta in prices
        for seed in SWEEP_SEEDS[data]
    ],
    uses=lambda data, beta, seed: [recipe(data, beta, seed).fingerprint],
    about={"prices": {data: list(prices) for data, prices in PRICES.items()}},
)
