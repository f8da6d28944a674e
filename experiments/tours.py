"""The tours through all ten classes, over five seeds, for the chapter on many dimensions.

    OMP_NUM_THREADS=1 python experiments/tours.py

For each small VAE (MNIST and Fashion-MNIST, eight latents, seeds 0 to 4) it finds the shortest
path through the ten class means under four distances, and the lowest log-density met on it:

- euclid: straight lines;
- decoded: straight lines, with the length of the decoded path (the decoder's pull-back metric);
- dense: the geodesics of `geometry.geodesics` with exponent 1/2 under the classes' Gaussians;
- mild: the same with its default exponent, 1/8.

It needs no images, and writes vaebook/tables/tours.json.
"""

import argparse
import json
import math
import platform
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaebook import recipes
from vaebook.latent import geometry, mixtures, paths
from vaebook.models import Codes

RESULTS = Path(__file__).parents[1] / "vaebook" / "tables" / "tours.json"
SEEDS = 5
# As on the page.
RELAXATION = {"n_neighbors": 10, "n_points": 16, "n_steps": 30}
NODES = 500


def class_gaussians(codes: Codes) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The means of the classes [C,D], and the log-density of their Gaussians together."""
    assert codes.labels is not None
    _, means, covariances = mixtures.class_moments(codes.mu, codes.logvar, codes.labels)
    shares = codes.labels.bincount() / len(codes.labels)
    white = torch.linalg.inv(torch.linalg.cholesky(covariances))
    half = white.diagonal(dim1=1, dim2=2).log().sum(1)
    constant = shares.log() + half - 0.5 * means.shape[1] * math.log(2 * math.pi)

    def log_density(z: Tensor) -> Tensor:
        offsets = torch.einsum("cij,ncj->nci", white, z[:, None] - means)
        return (constant - 0.5 * offsets.square().sum(2)).logsumexp(1)

    return means, log_density


def run(name: str) -> dict[str, dict[str, Any]]:
    """The tours of one model."""
    trained = recipes.load(name)
    model, codes = trained.model, trained.codes
    means, log_density = class_gaussians(codes)
    straight = [[paths.line(a, b, 100) for b in means] for a in means]
    decoded = torch.zeros(len(means), len(means))
    for i, j in combinations(range(len(means)), 2):
        decoded[i, j] = decoded[j, i] = geometry.decoded_length(straight[i][j], model.decode)
    ways: dict[str, tuple[Tensor, list[list[Tensor]]]] = {
        "euclid": (torch.cdist(means, means), straight),
        "decoded": (decoded, straight),
    }
    for way, exponent in (("dense", 0.5), ("mild", None)):
        found = geometry.geodesics(
            codes.mu[:NODES], means, log_density, exponent=exponent, **RELAXATION
        )
        ways[way] = (found.lengths, found.polylines)
    results = {}
    for way, (distances, lines) in ways.items():
        order = paths.shortest_tour(distances).order.tolist()
        pieces = [paths.resample(lines[a][b], 100) for a, b in pairwise(order)]
        path = torch.cat(pieces)
        results[way] = {
            "order": order,
            "lowest": round(log_density(path).min().item(), 3),
            "length": round(sum(p.diff(dim=0).norm(dim=1).sum().item() for p in pieces), 3),
            "decoded": round(sum(geometry.decoded_length(p, model.decode) for p in pieces), 3),
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=RESULTS)
    into = parser.parse_args().into
    runs: dict[str, list[dict[str, dict[str, Any]]]] = {}
    for short in ("mnist", "fashion"):
        runs[short] = []
        for seed in range(SEEDS):
            runs[short].append(run(f"{short}-small-8d-s{seed}"))
            print(short, seed, runs[short][-1], flush=True)
    results = {
        "relaxation": RELAXATION,
        "nodes": NODES,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "runs": runs,
    }
    into.write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
