"""How lines of heatmaps bend in the codes of the trained models, over five seeds.

    make experiment NAME=heatmap_kink

encodes three lines along the correlation from -0.95 to 0.85: both variances 4.9, constant
determinant from the same start, both variances 0.1. A row is about one of the `heatmap-*` recipes:
the turns of the first two lines in degrees, and the length of the first over that of the third; or
that the model has collapsed. The chapter on heatmaps reads it.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.measures import bounds
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")


@cache
def lines(n: int = 181) -> Tensor:
    """The images of the three lines, one after the other, [3 n, 1, 36, 36]."""
    start, end = -0.95, 0.85
    r = torch.linspace(start, end, n, dtype=torch.float64)
    level = 4.9 * math.sqrt(1 - start**2) / (1 - r**2).sqrt()
    variances = torch.cat([torch.full_like(r, 4.9), level, torch.full_like(r, 0.1)])
    return datasets.heatmap_images(variances, variances, r.repeat(3))


def turn(path: Tensor) -> float:
    """The angle between the first and the last tenth of a path, in degrees."""
    n = len(path) // 10
    a, b = path[n] - path[0], path[-1] - path[-1 - n]
    return math.degrees(torch.acos(torch.cosine_similarity(a, b, dim=0)).item())


def length(path: Tensor) -> float:
    return path.diff(dim=0).norm(dim=1).sum().item()


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure one model."""
    codes = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model.codes(lines()).mu
    if not bounds.active_units(codes).any():
        return {"collapsed": True}  # all codes are one
    along, across, little = codes.chunk(3)
    return {
        "collapsed": False,
        "along": round(turn(along), 4),
        "across": round(turn(across), 4),
        "length": round(length(along) / length(little), 4),
    }


heatmap_kink = Experiment(
    "heatmap_kink",
    row,
    {"kind": ["vae-optimal", "vae-half", "ae"], "seed": range(5)},
    uses=lambda kind, seed: [recipe(kind, seed).fingerprint],
)
