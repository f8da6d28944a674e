r"""How fast a code that is shared by N images collapses.

    make experiment NAME=shared_code

A row is a run of pCN on p(z) p(x-bar | z)^N under the plane model of MNIST: 16 chains that start
three times as wide as the posterior, a warm-up of 400 steps that finds the step for 30 %
acceptance, and 2,000 steps. The image x-bar is the mean of all 10,000 test images whatever N is,
so that nothing but N varies. The true standard deviations come from a grid of 101 x 101 points
about the mode, and need no chain. Eight seeds, each of starts and steps.

What decides, written down before the run; the unit is a seed, of this one model:

- a seed's slope of log step on log N, for N from 10 on, and that of the log standard deviation
  (the mean of both) are -1/2 to within .05, by the 95 % t-interval of the mean over seeds.

A row counts as converged where the largest R-hat is below 1.01, and is kept where it is not.

The run said: the step yes, the standard deviation no. At N = 10 the posterior still has modes far
apart, and no run has converged. The slopes from N = 100 on, where all have, were added to the
summary afterwards. The chapter on the ways to sample reads the table.
"""

import copy
import math
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.latent import samplers
from vaebook.models import VAE
from vaebook.tables import Experiment

MODEL, SEEDS = "mnist-mlp-2d", 8
SIZES = [1, 10, 100, 1000, 10_000]
CHAINS, WARMUP, STEPS = 16, 400, 2000


@cache
def model_and_mean() -> tuple[VAE, Tensor]:
    # N times a log-likelihood in float32 is too coarse.
    model = copy.deepcopy(recipes.load(MODEL).model).double()
    return model, datasets.mnist(train=False).images.double().mean(0, keepdim=True)


@cache
def posterior(size: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviations of p(z) p(x-bar | z)^size, by grids, finer and finer."""
    model, x_bar = model_and_mean()
    centre, half = torch.zeros(2, dtype=torch.float64), 4.0
    for _ in range(12):
        axes = [torch.linspace(-half, half, 101, dtype=torch.float64) + c for c in centre]
        z = torch.cartesian_prod(*axes)
        log_l = model.likelihood.log_prob_pairs(model.decoder(z), x_bar)[0]
        p = (size * log_l - 0.5 * z.square().sum(1)).softmax(0)
        mean = p @ z
        std = (p @ (z - mean).square()).sqrt()
        if half <= 9 * std.max():
            break
        centre, half = z[p.argmax()], max(half / 4, 8 * std.max().item())
    return mean, std


def row(size: int, seed: int) -> dict[str, Any]:
    """Run the chains of one seed for one N."""
    model, x_bar = model_and_mean()
    mean, std = posterior(size)
    generator = Generator().manual_seed(seed)
    noise = torch.randn(CHAINS, 2, dtype=torch.float64, generator=generator)
    of_mean = model.target(x_bar)
    chain = samplers.pcn(
        lambda z: size * of_mean(z),
        mean + 3 * std * noise,
        STEPS,
        min(1.0, 2 * std.mean().item()),
        warmup=WARMUP,
        generator=generator,
        progress=False,
    )
    found = {
        "step": chain.step,
        "std": chain.positions.flatten(0, 1).std(0).mean().item(),
        "true_std": std.mean().item(),
        "rhat": chain.rhat().max().item(),
        "ess": chain.ess().min().item(),
        "accepted": chain.acceptance_rate.mean().item(),
        "slowest_accepted": chain.acceptance_rate.min().item(),
    }
    return {key: float(f"{value:.5g}") for key, value in found.items()}


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return slopes on log N, with intervals over seeds, and the medians for each N."""
    summary: dict[str, Any] = {}
    for key, first in (("step", 10), ("std", 10), ("step", 100), ("std", 100)):
        sizes = [size for size in SIZES if size >= first]
        logs = [math.log(size) for size in sizes]
        slopes = []
        for seed in range(SEEDS):
            of_seed = {r["size"]: r[key] for r in rows if r["seed"] == seed}
            values = [math.log(of_seed[size]) for size in sizes]
            slopes.append(stats.linregress(logs, values).slope)
        half = stats.t.ppf(0.975, SEEDS - 1) * np.std(slopes, ddof=1) / math.sqrt(SEEDS)
        ends = [np.mean(slopes) - half, np.mean(slopes) + half]
        summary[f"slope_{key}_{first}"] = [float(f"{end:.4g}") for end in ends]
    for size in SIZES:
        ours = [row for row in rows if row["size"] == size]
        summary[str(size)] = {
            key: float(f"{np.median([row[key] for row in ours]):.4g}")
            for key in ("step", "std", "true_std")
        } | {
            "largest_rhat": max(row["rhat"] for row in ours),
            "converged": sum(row["rhat"] < 1.01 for row in ours),
        }
    return summary


def weights_used(size: int, seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.load(MODEL).card["sha256"]]


shared_code = Experiment(
    "shared_code",
    row,
    {"size": SIZES, "seed": range(SEEDS)},
    uses=weights_used,
    about={"sizes": SIZES, "seeds": SEEDS},
    summarize=summarize,
)
