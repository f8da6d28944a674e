"""Effective samples of four samplers on the posterior of real images in 16 dimensions.

    make experiment NAME=pcn_decoder

A row is one sampler on p(z|x) of one of the first five MNIST test images, under the model
`mnist-cnn-16d` that comes with the package: four chains from draws of q(z|x), seeded by the image,
at the step that a warm-up finds. Effective samples are ArviZ's bulk estimate of the slowest
dimension; `per_step_used` leaves out the dimensions whose q(z|x) has more than half the prior's
variance for one of the images. `per_evaluation` counts a call of all four chains at once; those
of elliptical slice sampling wait for the last. The summary holds medians over the images, the
largest R-hat, and, with the five images as units, the mean of the log of a sampler's `per_step`
and of its `per_second` as multiples of pCN's on the same image, each with its 95 % t-interval.
`per_second` is of processor time, so that this column alone differs from run to run. The chapter
on pCN reads the table.
"""

import math
import statistics
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from scipy import stats
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.latent import samplers
from vaebook.tables import Experiment

MODEL, IMAGES, CHAINS, STEPS, WARMUP = "mnist-cnn-16d", 5, 4, 30_000, 500
# Elliptical slice sampling calls the decoder a dozen times a step.
SLICE_STEPS = STEPS // 3
PROPOSALS: dict[str, Callable[..., samplers.Chain]] = {
    "pCN": samplers.pcn,
    "random walk": samplers.random_walk,
    "MALA": samplers.mala,
}


@cache
def model_and_images() -> tuple[Any, Tensor]:
    return recipes.load(MODEL).model, datasets.mnist(train=False).images[:IMAGES]


def sample(sampler: str, model: Any, image: Tensor, seed: int) -> tuple[samplers.Chain, float]:
    """Return a sampler's chains on one image, and their processor time in seconds."""
    generator = Generator().manual_seed(seed)
    start = model.codes(image.expand(CHAINS, -1, -1, -1)).sample(generator)
    log_likelihood = model.target(image)

    def log_density(z: Tensor) -> Tensor:
        return log_likelihood(z) - 0.5 * z.square().sum(1)

    quiet: dict[str, Any] = {"generator": generator, "progress": False}
    if sampler == "elliptical slice":
        begin = time.process_time()
        chain = samplers.elliptical_slice(log_likelihood, start, SLICE_STEPS, **quiet)
    else:
        run = PROPOSALS[sampler]
        target = log_likelihood if sampler == "pCN" else log_density
        warm = run(target, start, 1, 0.1, warmup=WARMUP, **quiet)
        begin = time.process_time()
        chain = run(target, start, STEPS, warm.step, **quiet)
    return chain, time.process_time() - begin


def row(sampler: str, image: int) -> dict[str, Any]:
    """Measure one sampler on one image."""
    model, images = model_and_images()
    chain, seconds = sample(sampler, model, images[image], image)
    used = (model.codes(images).logvar.exp() <= 0.5).all(0)
    effective = chain.ess()
    slowest = effective.min().item()
    found = {
        "per_step": slowest / chain.accepted.numel(),
        "per_evaluation": slowest / (CHAINS * chain.evaluations),
        "per_second": slowest / seconds,
        "per_step_used": effective[used].min().item() / chain.accepted.numel(),
        "largest_rhat": chain.rhat().max().item(),
    }
    return {name: float(f"{value:.4g}") for name, value in found.items()} | {
        "unused": int((~used).sum())
    }


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of each sampler over the images."""
    summary: dict[str, Any] = {}
    by_sampler = {name: [r for r in rows if r["sampler"] == name] for name in SAMPLERS}
    for name, found in by_sampler.items():
        keys = ("per_step", "per_evaluation", "per_second", "per_step_used")
        summary[name] = {key: statistics.median(one[key] for one in found) for key in keys}
        summary[name]["largest_rhat"] = max(one["largest_rhat"] for one in found)
        for key in () if name == "pCN" else ("step", "second"):
            pairs = zip(found, by_sampler["pCN"], strict=True)
            logs = [math.log(one[f"per_{key}"] / pcn[f"per_{key}"]) for one, pcn in pairs]
            centre, n = statistics.mean(logs), len(logs)
            half = stats.t.ppf(0.975, n - 1) * statistics.stdev(logs) / math.sqrt(n)
            summary[name][f"ratio_{key}"] = [
                float(f"{math.exp(end):.4g}") for end in (centre, centre - half, centre + half)
            ]
    return summary


def weights_used(sampler: str, image: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.load(MODEL).card["sha256"]]


SAMPLERS = [*PROPOSALS, "elliptical slice"]

pcn_decoder = Experiment(
    "pcn_decoder",
    row,
    {"sampler": SAMPLERS, "image": range(IMAGES)},
    uses=weights_used,
    about={"steps": STEPS},
    summarize=summarize,
)
