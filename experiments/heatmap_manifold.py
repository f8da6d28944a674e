"""The manifold of the heatmap models over five seeds: errors, axes, directions, trajectories.

    make experiment NAME=heatmap_manifold

A row is about one of the `heatmap-*` recipes: Frobenius errors on the test split from the
posterior mean and from one sample; rank correlations of latent axes with factors, as trained and
aligned; straight lines and arcs as a reader would walk them on the trained axes, and the
isovariance curve and the two bounding planes on the aligned ones, each decoded, with the factors
fitted back. The chapters on the VAE's manifold and on a fourth factor read it.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from scipy import stats
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.latent import paths, shapes
from vaebook.measures import bounds
from vaebook.measures.heatmaps import HeatmapFit, fit_heatmaps
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")
STEPS = 49
REACH = 2.0  # of a line from the centre of the codes, in latent units
RADIUS = 1.2  # of an arc
BINS = 6  # few, and fewer where one is empty: codes at the first correlation lie apart
NEAR = 0.1  # the share of the cloud nearest to a bounding plane


@cache
def images() -> tuple[datasets.ImageSet, datasets.ImageSet]:
    """All heatmaps, and those of the test split."""
    everything = datasets.heatmaps()
    return everything, everything.split(0.8, seed=0)[1]


def rank(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation."""
    return round(float(stats.spearmanr(a, b)[0]), 4)


def angle(fit: HeatmapFit) -> Tensor:
    """The angle of the ellipse's long axis along a path, in degrees, without jumps of 180."""
    twice = torch.atan2(2 * fit.corr * (fit.var_x * fit.var_y).sqrt(), fit.var_x - fit.var_y)
    steps = torch.remainder(twice.diff() + math.pi, 2 * math.pi) - math.pi
    unwrapped = torch.cat([twice[:1], twice[:1] + steps.cumsum(0)])
    return unwrapped * 90 / math.pi


def walk(model: Any, codes: Tensor) -> dict[str, Any]:
    """Decode a path, fit the factors back, and say how each goes along with the steps."""
    fit = fit_heatmaps(model.decode(codes))
    t, turned = torch.arange(len(codes)), angle(fit)
    return {
        "rank_corr": rank(t, fit.corr),
        "rank_difference": rank(t, fit.var_x - fit.var_y),
        "rank_sum": rank(t, fit.var_x + fit.var_y),
        "corr_from_to": [round(fit.corr[i].item(), 3) for i in (0, -1)],
        "corr_range": round((fit.corr.max() - fit.corr.min()).item(), 3),
        "angle_range": round((turned.max() - turned.min()).item(), 1),
        "rank_angle_corr": rank(turned, fit.corr),
        "from_diagonal": round(((turned.abs() % 90) - 45).abs().median().item(), 2),
        "ratio_var_x": round((fit.var_x.max() / fit.var_x.min()).item(), 3),
        "ratio_var_y": round((fit.var_y.max() / fit.var_y.min()).item(), 3),
        "valid": round(fit.valid.float().mean().item(), 3),
    }


def lines(mu: Tensor) -> dict[str, Tensor]:
    """The straight lines and arcs of the study, on the axes as they were trained."""
    centre, t = mu.mean(0), torch.linspace(-REACH, REACH, STEPS)
    found = {}
    for axes in ((0,), (1,), (2,), (0, 2), (0, 1)):
        codes = centre.repeat(STEPS, 1)
        codes[:, list(axes)] += t[:, None] / len(axes) ** 0.5
        found["line " + "-".join(map(str, axes))] = codes
    for plane in ((0, 2), (0, 1), (1, 2)):
        found["arc {}-{}".format(*plane)] = paths.arc(centre, plane, RADIUS, 0, math.pi, STEPS)
    return found


def through(strip: Tensor) -> Tensor:
    """The spline through a strip along axis 0, with as many bins as hold a point each."""
    for bins in range(BINS, 3, -1):
        try:
            return shapes.binned_spline(strip, 0, bins, STEPS)
        except ValueError:
            continue
    return shapes.binned_spline(strip, 0, 3, STEPS)


def trajectories(named: Tensor, factors: Tensor) -> dict[str, Tensor]:
    """The isovariance curve and those along the two bounding planes, in the aligned axes."""
    _, difference, total = factors.T
    depth = shapes.convex_hull(named).depth(named)
    strip = (difference.abs() < 0.01) & (total > 6)
    strip &= depth <= depth[strip].median()
    found = {"isovariance": through(named[strip])}
    for side, above in (("above", True), ("below", False)):
        gap = shapes.bounding_plane(named, 1, (0,), above).gap(named)
        near = gap <= gap.quantile(NEAR)
        found[side] = through(named[near])
    return found


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure one model."""
    model = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model
    everything, test = images()
    f = everything.factors
    factors = torch.stack([f["corr"], f["var_x"] - f["var_y"], f["var_x"] + f["var_y"]], 1)
    codes, test_codes = model.codes(everything), model.codes(test)
    mu = codes.mu
    # The codes of an autoencoder have no spread.
    noise = torch.zeros_like(mu) if codes.logvar is None else (0.5 * codes.logvar).exp()
    z = test_codes.sample(torch.Generator().manual_seed(0))
    mean = (test.images - model.decode(test_codes.mu)).flatten(1).norm(dim=1)
    sampled = (test.images - model.decode(z)).flatten(1).norm(dim=1)
    found = {
        "frobenius_mean": round(mean.mean().item(), 4),
        "frobenius_median": round(mean.median().item(), 4),
        "frobenius_sampled": round(sampled.mean().item(), 4),
        "norm_of_images": round(test.images.flatten(1).norm(dim=1).mean().item(), 4),
        "active_units": int(bounds.active_units(mu).sum()),
        "variance_of_mu": [round(v, 4) for v in mu.var(0).tolist()],
        "noise_sd": [round(v, 5) for v in noise.mean(0).tolist()],
    }
    if found["active_units"] < 3:
        return found  # a collapsed model has no manifold to walk on

    # The direction that goes best with the correlation, by least squares.
    design = torch.cat([mu, torch.ones(len(mu), 1)], 1).double()
    best = design @ torch.linalg.lstsq(design, factors.double()).solution
    alignment = shapes.align(mu, factors)
    named = alignment.forward(mu)
    return found | {
        "rank_axes": [[rank(mu[:, j], factors[:, k]) for k in range(3)] for j in range(3)],
        "rank_best": [rank(best[:, k], factors[:, k]) for k in range(3)],
        "rank_aligned": [rank(named[:, k], factors[:, k]) for k in range(3)],
        "directions": {name: walk(model, line) for name, line in lines(mu).items()},
        "trajectories": {
            name: walk(model, alignment.back(points))
            for name, points in trajectories(named, factors).items()
        },
    }


heatmap_manifold = Experiment(
    "heatmap_manifold",
    row,
    {"kind": ["vae-optimal", "vae-half", "ae"], "seed": range(5)},
    uses=lambda kind, seed: [recipe(kind, seed).fingerprint],
    about={
        "steps": STEPS,
        "reach": REACH,
        "radius": RADIUS,
        "bins": BINS,
        "near": NEAR,
        "factors": ["corr", "difference", "sum"],
    },
)
