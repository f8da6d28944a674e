"""Price, method and seed: how a place on the curve was reached, as a third factor of the scores.

    make experiment NAME=beta_methods

Models of the noisy heatmaps (noise .1) at three places of the sweep's curve, those of its prices
1, 10 and 100. A place is reached in five ways, with five seeds each, in a balanced design of 75
models:

- `beta`: the sweep's own price, variance .01;
- `learned`, `optimal`: a learned or an optimal variance and a weight of the KL, by which the
  sweep's median error at the place, S/P, would be a fixed point: the price times .01 over S/P;
- `thermostat`, `geco-slow`: the sweep's median error as the tolerance; GECO with a tenth of its
  step, since at the full one its multiplier winds up.

Networks, budget, initial weights and batches are those of the sweep. The sweep's own models, and
learned and optimal variances of weight 1, are rows of `beta_sweep`; a row here is one of the fifty
that were missing. Scores as there: draws of q(z|x) of 4,000 heatmaps.

Written down before the first of these models was trained, for MIG, SAP and DCI disentanglement:

- *Shares.* The variance of a score over the 75 models falls into the main effects of place,
  method and seed, with 2, 4 and 4 of 74 degrees of freedom, and the rest. What chance would give
  a factor is its degrees of freedom over 74.
- *Control.* Methods are shuffled within each place and seed, 4,000 times: how often is the share
  of the method as large? It *matters* for a score where that is below .01 (three scores are
  asked), and where it is not nothing is said.
- *Matched.* A method is at its place where the median of its rates is within 15 % of the sweep's.
  Where a method misses a place, the shares are computed without that method as well, and a share
  that counts must do so both times: else a method may stand for a rate.

The chapter on beta reads the table.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from vaebook import datasets, objectives, recipes
from vaebook.measures import disentanglement
from vaebook.models import VAE, ConstrainedGaussian, GecoGaussian
from vaebook.recipes.book.part5 import NOISE, VARIANCES, heatmap_vae
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")
SEEDS = range(5)
ERRORS = {1.0: 0.010167, 10.0: 0.010458, 100.0: 0.012634}  # S/P of the sweep, medians
WAYS = ("learned", "optimal", "thermostat", "geco-slow")
KNOWN = [("learned", 1.0), ("optimal", 1.0)]  # of weight 1, in the sweep's table


def weight(way: str, place: float) -> float:
    """Return what the KL counts beside a likelihood whose variance the method chooses."""
    free = way in ("learned", "optimal")
    return round(place * VARIANCES["heatmap"] / ERRORS[place], 4) if free else 1.0


def recipe(way: str, place: float, seed: int) -> recipes.Recipe:
    """Return the sweep's recipe for a way, with another weight or another tolerance."""
    own = recipes.get(f"beta-heatmap-{way}-s{seed}")
    name = f"methods-{way}-{place:g}-s{seed}"
    if way in ("learned", "optimal"):
        beta = partial(objectives.negative_elbo, beta=weight(way, place))
        return replace(own, name=name, objective=beta)
    held = ERRORS[place]
    likelihood = (
        partial(ConstrainedGaussian, held)
        if way == "thermostat"
        else partial(GecoGaussian, held, 0.001)
    )
    return replace(own, name=name, model=partial(heatmap_vae, likelihood))


def scores(model: VAE) -> dict[str, float]:
    """Disentanglement of draws of q(z|x) of 4,000 heatmaps."""
    everything = datasets.heatmaps()
    generator = Generator().manual_seed(2)
    codes = model.codes(datasets.add_noise(everything.images, NOISE, generator))
    part = torch.randperm(len(everything), generator=generator)[:4000]
    z, factors = codes.sample(generator)[part], everything[part].factors
    found = disentanglement.scores(z, factors, generator)
    return {
        "mig": round(found.mig, 4),
        "sap": round(found.sap, 4),
        "dci": round(found.dci.disentanglement, 4),
    }


def row(way: str, place: float, seed: int) -> dict[str, Any]:
    """Train one model and measure it."""
    model = recipes.train(recipe(way, place, seed), WEIGHTS, progress=False).model
    _, test = recipes.get("beta-heatmap-b1-s0").sets()
    images = datasets.add_noise(test.images, NOISE, Generator().manual_seed(0))
    codes = model.codes(images)
    decoded = model.decode(codes.sample(Generator().manual_seed(0))).detach()
    kl_each = objectives.kl_per_latent(codes.mu, codes.logvar).mean(0)
    kappa = weight(way, place) * model.likelihood.variance.item()
    return {
        "beta": float(f"{kappa / VARIANCES['heatmap']:.5g}"),
        "rate": round(kl_each.sum().item(), 4),
        "squared_error": round((decoded - images).flatten(1).square().sum(1).mean().item(), 4),
        "active": int((kl_each > 0.1).sum()),
        **scores(model),
    }


beta_methods = Experiment(
    "beta_methods",
    row,
    # All of a seed before the next one: a study that is stopped has whole seeds.
    [
        {"way": way, "place": place, "seed": seed}
        for seed in SEEDS
        for way in WAYS
        for place in ERRORS
        if (way, place) not in KNOWN
    ],
    uses=lambda way, place, seed: [recipe(way, place, seed).fingerprint],
    about={"places": list(ERRORS), "errors": list(ERRORS.values()), "ways": list(WAYS)},
)
