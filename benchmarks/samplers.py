"""Chain-steps per second of samplers.pcn beside CUQIpy's and minipcn's, and its cost on a decoder.

    pip install --no-deps --target PEERS cuqipy==1.5.1 minipcn==0.2.1 array-api-compat orng
    PYTHONPATH=.:PEERS OMP_NUM_THREADS=1 python benchmarks/samplers.py

samples one linear-Gaussian posterior in 16 dimensions, in float64, at step 0.3 without
adaptation; the peers with their progress bar, as it comes, and without. The samplers alternate in
one process on one thread; printed are medians of processor time and ratios. The last lines set a
step against one call of its own target: that linear one, and the 784 pixels of an image under the
recipe mnist-mlp-2d, with its 2-100-400-784 decoder; on the former also a step of the public kernel
and one with a prior that is handed over.
"""

import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaebook import recipes
from vaebook.latent.samplers import pcn, pcn_kernel, run
from vaebook.models.priors import StandardNormal

DIM, STEP, ROUNDS = 16, 0.3, 9
# chains: steps of a round
STEPS = {1: 2000, 64: 1000, 1024: 200}
# CUQIpy takes so many times fewer steps, which leaves the time of one as it is.
SHORTER = 8


def seconds(call: Callable[[], object]) -> float:
    begin = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        call()
    return time.process_time() - begin


def alternate(runs: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """The median seconds of each, after a round of warm-up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(rounds + 1):
        for name, contestant in runs.items():
            elapsed = seconds(contestant)
            if i > 0:
                times[name].append(elapsed)
    return {name: statistics.median(values) for name, values in times.items()}


def linear_target(matrix: np.ndarray, data: np.ndarray) -> Callable[[Tensor], Tensor]:
    a, b = torch.from_numpy(matrix.T.copy()), torch.from_numpy(data)

    return lambda z: -0.5 * (b - z @ a).square().sum(dim=1)


def linear_gaussian(chains: int) -> dict[str, Callable[[], object]]:
    import cuqi
    import minipcn

    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((DIM, DIM)) / 4
    data = rng.standard_normal(DIM)
    start = rng.standard_normal((chains, DIM))
    n = STEPS[chains]

    target, z = linear_target(matrix, data), torch.from_numpy(start)
    runs: dict[str, Callable[[], object]] = {"vaebook": lambda: pcn(target, z, n, STEP)}

    def log_posterior(x: np.ndarray) -> np.ndarray:
        return -0.5 * ((data - x @ matrix.T) ** 2).sum(axis=1) - 0.5 * (x**2).sum(axis=1)

    # minipcn fits the Gaussian of its proposal to the start, so one chain alone has none.
    if chains > 1:
        peer = minipcn.Sampler(log_posterior, "pcn", DIM, rho=STEP, adaptive=False)
        runs["minipcn"] = lambda: peer.sample(start, n, seed=0)
        runs["minipcn, no bar"] = lambda: peer.sample(start, n, seed=0, verbose=False)
    else:
        x = cuqi.distribution.Gaussian(np.zeros(DIM), 1.0)
        y = cuqi.distribution.Gaussian(cuqi.model.LinearModel(matrix) @ x, 1.0)
        posterior = cuqi.distribution.JointDistribution(x, y)(y=data)

        def sample(bar: bool) -> None:
            cuqi.config.PROGRESS_BAR_DYNAMIC_UPDATE = bar
            cuqi.sampler.PCN(posterior, scale=STEP).sample(n // SHORTER)

        runs["CUQIpy"] = lambda: sample(True)
        runs["CUQIpy, no bar"] = lambda: sample(False)

    return runs


Target = Callable[[Tensor], Tensor]
Sample = Callable[[Target, Tensor, int], object]


def by_pcn(target: Target, start: Tensor, n: int) -> object:
    return pcn(target, start, n, STEP)


def by_kernel(target: Target, start: Tensor, n: int) -> object:
    return run(pcn_kernel(target, STEP), start, n)


def with_prior(target: Target, start: Tensor, n: int) -> object:
    return pcn(target, start, n, STEP, prior=StandardNormal(DIM).double())


def costs(target: Target, start: Tensor, n: int, sample: Sample = by_pcn) -> tuple[float, float]:
    """The microseconds of one call of the target, and of a step in units of it."""

    @torch.inference_mode()
    def alone() -> None:
        for _ in range(n):
            target(start)

    times = alternate({"alone": alone, "pcn": lambda: sample(target, start, n)})
    return times["alone"] / n * 1e6, times["pcn"] / times["alone"] * n / (n + 1)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, {ROUNDS} rounds")
    for chains, n in STEPS.items():
        times = alternate(linear_gaussian(chains))
        for name in times:
            times[name] /= n // SHORTER if name.startswith("CUQIpy") else n
        for name, step in times.items():
            print(
                f"{chains:5d} chains  {name:15s} {chains / step:12,.0f} chain-steps/s"
                f"  vaebook is {step / times['vaebook']:5.1f} times as fast"
            )

    rng = np.random.default_rng(0)
    linear = linear_target(rng.standard_normal((DIM, DIM)) / 4, rng.standard_normal(DIM))
    image = torch.bernoulli(torch.full((1, 28, 28), 0.2))
    decoder = recipes.load("mnist-mlp-2d").model.target(image)
    # chains: calls of a round, on the decoder
    for chains, n in {1: 400, 64: 100, 1024: 10}.items():
        wide = torch.randn(chains, DIM, dtype=torch.float64)
        cases: dict[str, tuple[Any, ...]] = {
            "linear target": (linear, wide, 5 * n),
            "public kernel": (linear, wide, 5 * n, by_kernel),
            "with a prior": (linear, wide, 5 * n, with_prior),
            "decoder": (decoder, torch.randn(chains, 2), n),
        }
        for name, case in cases.items():
            call, ratio = costs(*case)
            print(
                f"{chains:5d} chains  {name:15s} a call {call:8.1f} us, a step {ratio:.2f} calls"
            )


if __name__ == "__main__":
    main()
