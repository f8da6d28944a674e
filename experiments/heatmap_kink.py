"""How lines of constant variance bend in the codes of the heatmap models, over twelve seeds.

    make experiment NAME=heatmap_kink

A row is about one of the recipes `heatmap-*-s22` to `-s33`. It encodes lines along the correlation
from -0.95 to 0.85, with both variances at one of the `levels`, and one of constant determinant
that starts with both variances at 4.9. For each level, `pace` is the median speed of the codes for
correlations up to 0.5 in size, in standard deviations of all codes per unit of correlation;
`determinant` is the angle between the first and the last tenth of the steps of the other line, in
degrees. The line at the largest variances is cut into `legs` of equal length; `place` is the
correlation in the middle of that tenth of its length in which it turns most. How much it turns
there, and the turns at the levels, are in `heatmap_claims`. The chapter on heatmaps reads both.
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
LEVELS = (0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 4.9)
START, END, STEPS = -0.95, 0.85, 181
LEGS = 20  # two corners are a tenth of the length, and the noise of single steps is out


def correlations() -> Tensor:
    return torch.linspace(START, END, STEPS, dtype=torch.float64)


@cache
def lines() -> Tensor:
    """The images of the lines at all levels and of that of constant determinant, in a row."""
    r = correlations()
    level = torch.tensor(LEVELS, dtype=r.dtype).repeat_interleave(STEPS)
    determinant = LEVELS[-1] * math.sqrt(1 - START**2) / (1 - r**2).sqrt()
    variances = torch.cat([level, determinant])
    return datasets.heatmap_images(variances, variances, r.repeat(len(LEVELS) + 1))


def between(a: Tensor, b: Tensor) -> Tensor:
    """The angle between vectors, in degrees."""
    return torch.cosine_similarity(a, b, dim=-1).clamp(-1, 1).acos().rad2deg()


def turn(path: Tensor) -> float:
    """The angle between the first and the last tenth of a path's steps."""
    n = len(path) // 10
    return between(path[n] - path[0], path[-1] - path[-1 - n]).item()


def corners(path: Tensor) -> tuple[Tensor, Tensor]:
    """The angles between legs of equal length, and the correlations where they meet."""
    length = torch.cat([torch.zeros(1), path.diff(dim=0).norm(dim=1).cumsum(0)])
    # Each end of a leg lies between two points of the path.
    even = torch.linspace(0, 1, LEGS + 1, dtype=path.dtype) * length[-1]
    after = torch.searchsorted(length.contiguous(), even).clamp(1, len(path) - 1)
    share = (even - length[after - 1]) / (length[after] - length[after - 1])
    ends = torch.lerp(path[after - 1], path[after], share[:, None])
    legs = ends.diff(dim=0)
    where = torch.lerp(correlations()[after - 1], correlations()[after], share)
    return between(legs[1:], legs[:-1]), where[1:-1]


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure one model."""
    model = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model
    mu = model.codes(datasets.heatmaps()).mu.double()
    if not bounds.active_units(mu).any():
        return {"collapsed": True}  # all codes are one
    paths = model.codes(lines()).mu.double().unflatten(0, (len(LEVELS) + 1, -1))
    spread = mu.var(0).sum().sqrt()
    speed = paths.diff(dim=1).norm(dim=2) / correlations().diff() / spread
    middle = correlations()[1:].abs() <= 0.5
    bends, where = corners(paths[-2])
    at = bends.unfold(0, 2, 1).sum(1).argmax()
    return {
        "collapsed": False,
        "determinant": round(turn(paths[-1]), 2),
        "pace": [round(v, 4) for v in speed[:-1, middle].median(1).values.tolist()],
        "place": round(where[at : at + 2].mean().item(), 3),
    }


heatmap_kink = Experiment(
    "heatmap_kink",
    row,
    {"kind": ["vae-optimal", "vae-half", "ae"], "seed": range(22, 34)},
    uses=lambda kind, seed: [recipe(kind, seed).fingerprint],
    about={"levels": LEVELS, "start": START, "end": END, "steps": STEPS, "legs": LEGS},
)
