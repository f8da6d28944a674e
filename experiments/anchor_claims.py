"""The numbers by which claims about anchored VAEs are decided, over twelve fresh seeds.

    make experiment NAME=anchor_claims

A row is about two trainings from different seeds of a VAE of MNIST, 784-64-32-2 and He's initial
weights, for eight epochs, whose prior moves along the diagonal by a rate times an image's score
between a ring and a bar; `0` is a plain VAE. Decoded are two grids of 20 by 20 codes: one is even
under N(0, I), the other under the codes of the test images, axis by axis. What the numbers are,
and what they decide, stands in `vaebook/tables/claims.toml`.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.latent import paths
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift
from vaebook.objectives import negative_elbo
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

RATES, SEEDS, TWIN = ("0", "3", "10"), range(34, 46), 100
HIDDEN, EPOCHS, GRID = (64, 32), 8, 20
JUDGE = "mnist-classifier"


@cache
def images() -> tuple[ImageSet, ImageSet]:
    return datasets.mnist(train=True).split(11 / 12, seed=0)[0], datasets.mnist(train=False)


def score(pictures: Tensor) -> Tensor:
    return datasets.donutness(pictures, datasets.donut(), datasets.stick())


def trained(rate: float, seed: int) -> VAE:
    torch.manual_seed(seed)
    prior = ConditionalShift(2, rate, score)
    model = VAE(MLPEncoder(4, HIDDEN), MLPDecoder(2, HIDDEN[::-1]), 2, Bernoulli(), prior)
    fit(
        model,
        negative_elbo,
        images()[0],
        epochs=EPOCHS,
        batch_size=256,
        learning_rate=4e-3,
        schedule=one_cycle,
        seed=seed,
        progress=False,
    )
    return model.requires_grad_(False)


def places() -> Tensor:
    """Where a grid's places are, from 0 to 1 on each axis, [GRID ** 2, 2]."""
    return torch.distributions.Normal(0.0, 1.0).cdf(paths.quantile_grid(GRID).reshape(-1, 2))


def seen(model: VAE) -> dict[str, Tensor]:
    """Return the class that is seen at each place of either grid, [GRID ** 2]."""
    mu, at = model.codes(images()[1]).mu, places()
    grids = {
        "prior": paths.quantile_grid(GRID).reshape(-1, 2),
        "codes": torch.stack([mu[:, j].quantile(at[:, j]) for j in range(2)], 1),
    }
    judge = recipes.load(JUDGE).model
    with torch.no_grad():
        return {name: judge(model.decode(z)).argmax(1) for name, z in grids.items()}


def row(kind: str, seed: int) -> dict[str, Any]:
    """See which digits lie where on either grid, and how far they move in another training."""
    first, again = (seen(trained(float(kind), each)) for each in (seed, seed + TWIN))
    at, found = places(), {}
    order, corner = at.sum(1).argsort(stable=True), GRID**2 // 10
    for grid, told in first.items():
        # Zeros are pulled to small places, ones to large ones.
        numbers = {
            "zeros": (told[order][:corner] == 0).double().mean().item(),
            "ones": (told[order][-corner:] == 1).double().mean().item(),
            "changed": (told != again[grid]).double().mean().item(),
        }
        for name, digit in (("zeros", 0), ("ones", 1)):
            if (told == digit).any() and (again[grid] == digit).any():
                there = [at[t == digit].mean(0) for t in (told, again[grid])]
                numbers[f"{name}_move"] = (there[0] - there[1]).norm().item()
        found[grid] = {name: float(f"{value:.6g}") for name, value in numbers.items()}
    return found


def judge_used(kind: str, seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.get(JUDGE).fingerprint]


anchor_claims = Experiment("anchor_claims", row, {"kind": RATES, "seed": SEEDS}, uses=judge_used)
