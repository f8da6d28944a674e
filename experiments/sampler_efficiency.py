r"""What a step of four samplers is worth on a posterior that is known, eight times over.

    make experiment NAME=sampler_efficiency

A row is one sampler in one of eight repetitions, on sixteen dimensions of which the first 4 or all
16 are seen with noise 0.4. A repetition has data of its own, the same for all samplers, and four
chains of 5,000 steps from exact draws of the posterior, at the step that a warm-up of 1,000
finds for the sampler's usual acceptance rate. `per_step` is ArviZ's bulk effective sample size
of the slowest dimension per step of a chain; `calls` is how often a chain asks for the likelihood
per step, and MALA's calls include the gradient. Four chains of elliptical slice sampling in one
batch are all evaluated until the last has found its place; its calls are those of a chain that
runs alone. `seconds` is processor time for 1,000 steps of all four chains: this column alone
differs from run to run.

What is reported, written down before the run: for each target the mean over repetitions of the
log of a sampler's `per_step` as a multiple of pCN's in the same repetition, and of `per_step`
divided by `calls`, each with its 95 % t-interval. A sampler is said to be ahead of another where
the interval does not hold 1. The chapter on pCN reads the table.
"""

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from scipy import stats
from torch import Generator, Tensor

from vaebook.latent import samplers
from vaebook.tables import Experiment

DIM, INFORMED, NOISE, REPETITIONS = 16, [4, 16], 0.4, 8
CHAINS, WARMUP, STEPS = 4, 1000, 5000
PROPOSALS: dict[str, Callable[..., samplers.Chain]] = {
    "pCN": samplers.pcn,
    "random walk": samplers.random_walk,
    "MALA": samplers.mala,
}
SAMPLERS = [*PROPOSALS, "elliptical slice"]


def row(sampler: str, informed: int, repetition: int) -> dict[str, Any]:
    """Run one sampler on the data of one repetition."""
    generator = Generator().manual_seed(repetition)
    variance = NOISE**2 / (1 + NOISE**2)
    y = math.sqrt(1 + NOISE**2) * torch.randn(informed, generator=generator).double()
    z = torch.randn(CHAINS, DIM, generator=generator).double()
    z[:, :informed] = y / (1 + NOISE**2) + math.sqrt(variance) * z[:, :informed]

    def log_l(z: Tensor) -> Tensor:
        return -0.5 * (y - z[:, :informed]).square().sum(1) / NOISE**2

    def log_density(z: Tensor) -> Tensor:
        return log_l(z) - 0.5 * z.square().sum(1)

    quiet: dict[str, Any] = {"generator": generator, "progress": False}
    if sampler == "elliptical slice":
        begin = time.process_time()
        chain = samplers.elliptical_slice(log_l, z, STEPS, **quiet)
        seconds = time.process_time() - begin
        alone = samplers.elliptical_slice(log_l, z[:1], WARMUP, **quiet)
        calls, step = alone.evaluations / WARMUP, None
    else:
        run, target = PROPOSALS[sampler], log_l if sampler == "pCN" else log_density
        step = run(target, z, 1, 0.3, warmup=WARMUP, **quiet).step
        begin = time.process_time()
        chain = run(target, z, STEPS, step, **quiet)
        seconds = time.process_time() - begin
        calls = chain.evaluations / STEPS
    found = {
        "per_step": chain.ess().min().item() / chain.accepted.numel(),
        "calls": calls,
        "seconds": 1000 * seconds / STEPS,
        "rhat": chain.rhat().max().item(),
        "accepted": chain.acceptance_rate.mean().item(),
    }
    return {name: float(f"{value:.4g}") for name, value in found.items()} | {"step": step}


def ratio(values: list[float], others: list[float]) -> list[float]:
    """Geometric mean of the ratios, and the ends of its 95 % t-interval."""
    logs = [math.log(one / other) for one, other in zip(values, others, strict=True)]
    centre, n = statistics.mean(logs), len(logs)
    half = stats.t.ppf(0.975, n - 1) * statistics.stdev(logs) / math.sqrt(n)
    return [float(f"{math.exp(end):.4g}") for end in (centre, centre - half, centre + half)]


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means, standard deviations over repetitions, and ratios to pCN with intervals."""
    summary: dict[str, Any] = {}
    for informed in INFORMED:
        summary[str(informed)] = {}
        base: dict[str, list[float]] = {}
        for sampler in SAMPLERS:
            ours = [r for r in rows if (r["informed"], r["sampler"]) == (informed, sampler)]
            of = {
                "step": [r["per_step"] for r in ours],
                "call": [r["per_step"] / r["calls"] for r in ours],
                "second": [r["per_step"] / r["seconds"] for r in ours],
            }
            base = base or of
            summary[str(informed)][sampler] = {
                "per_step": float(f"{statistics.mean(of['step']):.4g}"),
                "sd": float(f"{statistics.stdev(of['step']):.4g}"),
                "per_call": float(f"{statistics.mean(of['call']):.4g}"),
                "calls": float(f"{statistics.mean(r['calls'] for r in ours):.4g}"),
                "largest_rhat": max(r["rhat"] for r in ours),
            } | (
                {}
                if sampler == "pCN"
                else {f"ratio_{key}": ratio(of[key], base[key]) for key in of}
            )
    return summary


sampler_efficiency = Experiment(
    "sampler_efficiency",
    row,
    {"sampler": SAMPLERS, "informed": INFORMED, "repetition": range(REPETITIONS)},
    about={"dim": DIM, "noise": NOISE, "repetitions": REPETITIONS, "steps": STEPS},
    summarize=summarize,
)
