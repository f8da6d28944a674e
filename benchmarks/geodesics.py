"""Geodesics of geometry.geodesic beside those of stochman's connecting_geodesic.

    pip install --no-deps --target PEERS stochman==0.3.0
    PYTHONPATH=.:PEERS OMP_NUM_THREADS=1 python benchmarks/geodesics.py

joins 100 random pairs of training codes under the decoder of heatmap-vae-optimal-s22 (three
latents, transposed convolutions) and of mnist-mlp-2d (two latents, MLP), with each one's defaults:
ours with 32 points from smooth_paths, stochman's by cubic splines of five nodes. They take turns
in one process on one thread; printed are medians of the seconds, by the clock and of the
processor. Every path is measured on 311 points of its own, stochman's spline read at as many. Its
excess is the share by which it is longer than the shortest that any method found for that pair:
these two, ours from straight lines, and long runs of ours with 64 points, from straight lines and
from stochman's paths.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from vaebook import recipes
from vaebook.latent import geometry
from vaebook.latent.smooth import smooth_paths

PAIRS, FINE, POINTS = 100, 311, 64
TOLERANCE = 1e-5  # of the long runs
RECIPES = ("heatmap-vae-optimal-s22", "mnist-mlp-2d")

Decode = Callable[[Tensor], Tensor]


def stretched(paths: Tensor, n: int) -> Tensor:
    """Paths [B, n, D] read at n even steps of their own parameter."""
    return torch.nn.functional.interpolate(paths.mT, n, mode="linear", align_corners=True).mT


def by_stochman(decode: Decode, start: Tensor, end: Tensor) -> Callable[[int], Tensor]:
    """Stochman's geodesics, to be read at n points [B, n, D]."""
    from stochman.manifold import EmbeddedManifold

    class Decoder(EmbeddedManifold):
        def embed(self, points: Tensor, jacobian: bool = False) -> Tensor:
            assert not jacobian
            return decode(points.flatten(0, -2)).flatten(1).unflatten(0, points.shape[:-1])

    curve, _ = Decoder().connecting_geodesic(start, end)

    return lambda n: curve(torch.linspace(0, 1, n)).detach()


def measured(decode: Decode, paths: Tensor) -> Tensor:
    return geometry.length(decode, paths, max(1, round((FINE - 1) / (paths.shape[1] - 1))))


def spread(name: str, lengths: Tensor, best: Tensor) -> str:
    excess = 100 * (lengths / best - 1)
    quantiles = [excess.median(), excess.quantile(0.95), excess.max()]
    return f"{name:20s}" + "  ".join(f"{value.item():7.3f} %" for value in quantiles)


def compare(recipe: str, rounds: int) -> None:
    trained = recipes.load(recipe)
    model, codes = trained.model.requires_grad_(False), trained.codes.mu
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(codes), generator=generator)[: 2 * PAIRS]
    start, end = codes[chosen].split(PAIRS)
    seconds: dict[str, list[tuple[float, float]]] = {"vaebook": [], "stochman": []}
    for _ in range(rounds):
        begin = time.perf_counter(), time.process_time()
        smooth = smooth_paths(model.decode, start, end)
        found = geometry.geodesic(model.decode, start, end, initial=smooth)
        middle = time.perf_counter(), time.process_time()
        theirs = by_stochman(model.decode, start, end)
        stop = time.perf_counter(), time.process_time()
        seconds["vaebook"].append((middle[0] - begin[0], middle[1] - begin[1]))
        seconds["stochman"].append((stop[0] - middle[0], stop[1] - middle[1]))

    lines = geometry.geodesic(model.decode, start, end).paths
    print(f"{recipe}, {PAIRS} pairs, median of {rounds}; {int(found.converged.sum())} converged")
    for kind, clock in ((0, "clock"), (1, "processor")):
        ours, peer = (statistics.median(s[kind] for s in seconds[name]) for name in seconds)
        ratios = [b[kind] / a[kind] for a, b in zip(*seconds.values(), strict=True)]
        shown = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        print(
            f"{clock:9s} vaebook {ours:6.1f} s, stochman {peer:6.1f} s, ratios {shown}", flush=True
        )

    read = {
        "line": torch.stack([start, end], 1),
        "vaebook": found.paths,
        "from lines": lines,
        "stochman": theirs(FINE),
    }
    lengths = {
        name: measured(model.decode, stretched(paths, FINE) if name == "line" else paths)
        for name, paths in read.items()
    }
    for name in ("line", "stochman"):
        initial = stretched(read[name], POINTS)
        initial[:, 0], initial[:, -1] = start, end
        run = geometry.geodesic(model.decode, start, end, POINTS, initial, tolerance=TOLERANCE)
        lengths[f"long, from {name}"] = measured(model.decode, run.paths)
    best = torch.stack(list(lengths.values())).amin(0)
    print("excess                median      95 %        max")
    for name, values in lengths.items():
        print(spread(name, values, best))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread")
    for recipe in RECIPES:
        compare(recipe, rounds)


if __name__ == "__main__":
    main()
