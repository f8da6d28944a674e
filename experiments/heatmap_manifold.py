"""Axes and noise of the heatmap models, over twelve seeds.

    make experiment NAME=heatmap_manifold

A row is about one of the recipes `heatmap-*-s22` to `-s33`: the standard deviation of the
posterior, as a mean over images and latents, in latent units, and Spearman's rank correlations of
the codes of all heatmaps with difference and sum of the variances and with the correlation, in
this order: that of the best of the axes as they were trained, that of the best of all directions
by least squares, and that of the axis that the rotation towards the three factors gives. The
chapter on the manifold of the VAE reads it; what is claimed of the manifold is measured by
`heatmap_claims`.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from scipy import stats
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.latent import shapes
from vaebook.measures import bounds
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")


@cache
def heatmaps() -> tuple[datasets.ImageSet, Tensor]:
    """All heatmaps, and their factors [N, 3]."""
    everything = datasets.heatmaps()
    s1, s2, corr = (everything.factors[name] for name in ("var_x", "var_y", "corr"))
    return everything, torch.stack([s1 - s2, s1 + s2, corr], 1)


def ranks(a: Tensor, b: Tensor) -> list[float]:
    """Spearman's rank correlation of each column of a with that of b."""
    pairs = zip(a.T, b.T, strict=True)
    return [round(float(stats.spearmanr(x, y)[0]), 4) for x, y in pairs]


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure one model."""
    model = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model
    images, factors = heatmaps()
    codes = model.codes(images)
    mu = codes.mu
    found: dict[str, Any] = {"active_units": int(bounds.active_units(mu).sum())}
    if codes.logvar is not None:
        found["noise"] = round((0.5 * codes.logvar).exp().mean().item(), 5)
    if found["active_units"] < 3:
        return found  # the rotation of a collapsed model is not determined

    axes = [max(map(abs, ranks(mu, f[:, None].expand(-1, 3)))) for f in factors.T]
    design = torch.cat([mu, torch.ones(len(mu), 1)], 1).double()
    best = design @ torch.linalg.lstsq(design, factors.double()).solution
    turned = shapes.align(mu, factors).forward(mu)
    return found | {
        "axes": axes,
        "directions": ranks(best, factors),
        "turned": ranks(turned, factors),
    }


heatmap_manifold = Experiment(
    "heatmap_manifold",
    row,
    {"kind": ["vae-optimal", "vae-half", "ae"], "seed": range(22, 34)},
    uses=lambda kind, seed: [recipe(kind, seed).fingerprint],
    about={"factors": ["difference", "sum", "corr"]},
)
