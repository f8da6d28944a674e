"""The tours through all ten classes, for the chapter on more than three dimensions.

    make experiment NAME=tours

A row is about one small VAE with eight latents (MNIST and Fashion-MNIST, seeds 0 to 4): the
shortest path through the ten class means under four distances, the lowest log-density met on it,
and its length in codes and in pictures.

- euclid: straight lines;
- decoded: straight lines, with the length of the decoded path (the decoder's pull-back metric);
- dense: the paths of `dense_paths` with exponent 1/2 under the classes' Gaussians;
- mild: the same with its default exponent, 1/8.

The VAEs are those that come with the package, since the page shows these; no images are needed.
"""

import math
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import torch
from torch import Tensor

from vaebook import recipes
from vaebook.latent import geometry, mixtures, paths
from vaebook.latent.dense import dense_paths
from vaebook.models import Codes
from vaebook.tables import Experiment

SEEDS = 5
# As on the page.
RELAXATION = {"n_neighbors": 10, "n_points": 16, "n_steps": 30}
NODES = 500


def class_gaussians(codes: Codes) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return the means of the classes [C, D], and the log-density of their Gaussians together."""
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


def model_of(data: str, seed: int) -> recipes.Trained:
    return recipes.load(f"{data}-small-8d-s{seed}")


def row(data: str, seed: int) -> dict[str, Any]:
    """Find the tours of one model."""
    trained = model_of(data, seed)
    model, codes = trained.model, trained.codes
    means, log_density = class_gaussians(codes)
    straight = [[paths.line(a, b, 100) for b in means] for a in means]
    decoded = torch.zeros(len(means), len(means))
    for i, j in combinations(range(len(means)), 2):
        decoded[i, j] = decoded[j, i] = geometry.length(model.decode, straight[i][j][None])
    ways = {"euclid": (torch.cdist(means, means), straight), "decoded": (decoded, straight)}
    for way, exponent in (("dense", 0.5), ("mild", None)):
        found = dense_paths(codes.mu[:NODES], means, log_density, exponent=exponent, **RELAXATION)
        ways[way] = (found.lengths, found.polylines)
    results = {}
    for way, (distances, lines) in ways.items():
        order = paths.shortest_tour(distances).order.tolist()
        pieces = [paths.resample(lines[a][b], 100) for a, b in pairwise(order)]
        results[way] = {
            "order": order,
            "lowest": round(log_density(torch.cat(pieces)).min().item(), 3),
            "length": round(sum(p.diff(dim=0).norm(dim=1).sum().item() for p in pieces), 3),
            "decoded": round(geometry.length(model.decode, torch.stack(pieces)).sum().item(), 3),
        }
    return results


def weights_used(data: str, seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [model_of(data, seed).card["sha256"]]


tours = Experiment(
    "tours", row, {"data": ["mnist", "fashion"], "seed": range(SEEDS)}, uses=weights_used
)
