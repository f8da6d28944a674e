"""How near a decoder's lengths and shortest ways are to those of the heatmaps, over twelve seeds.

    make experiment NAME=heatmap_geometry

A row is about one of the recipes `heatmap-vae-optimal-s22` to `-s33` and `heatmap-ae-s22` to
`-s33`. The truth is numerical: the shortest way among heatmaps on the frame of 36 x 36 pixels,
begun at the closed form on the infinite frame. Both are measured between the same test images,
which no training has seen: a hundred random pairs, and the fifty that the cone sets widest apart
of 4,000.

Of each of these ways between two codes the row has the ratio of its length to the true distance,
as root mean square and quantiles of the ratio's logarithm: the decoder's shortest way
(`geodesic`), the decoded straight line of latent space (`line`), the distance of the codes times
the one factor that suits the random pairs best (`latent`). The norm of the two images' difference
(`chord`) and the closed form (`cone`) need no model. `off` is the share of ten places on each way
that lie farther than 10 % of its norm from every heatmap, `beside` the root mean square distance
from the true way at equal shares of the length, as a share of the true distance. `reconstructed`
is about the heatmaps as they come back: their steps along the three factors and their volume, as
ratios to the true ones, and the widest angle between the two tangent spaces, in degrees.

Written down before the first row, for the VAE and for the autoencoder each; a form holds that is
true in 11 of 12 seeds, and fails that is true in 1 of 12 at most:

- near: on random pairs the root mean square of the geodesic is at most .05, and at most half that
  of the line;
- wide: on wide pairs the median ratio of the geodesic is within 5 % of 1, that of the line above
  1.05;
- latent: on random pairs the distance of the codes errs at least twice as much as the geodesic;
- cuts: at most 1 % of the random pairs have a geodesic shorter than .95 of the true distance.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vaebook import datasets, recipes
from vaebook.latent import geometry
from vaebook.latent.paths import resample
from vaebook.measures import cone
from vaebook.measures.heatmaps import fit_heatmaps
from vaebook.models import Autoencoder
from vaebook.tables import Experiment, rounded

WEIGHTS = Path("_build/weights")
RANDOM, WIDE, DRAWN = 100, 50, 4000
NODES, FINE = 32, 311  # of a way while it is shortened; while it is measured, ten times as many
PLACES = 10
STEP = 1e-3  # of the factors' chart
SHORT = 0.95


@cache
def test_set() -> tuple[Tensor, Tensor]:
    """Images and factors [N, 3] of the heatmaps that no training sees."""
    _, test = datasets.heatmaps().split(0.8, seed=0)
    return test.images, torch.stack([test.factors[k] for k in ("var_x", "var_y", "corr")], 1)


def pairs(seed: int) -> tuple[Tensor, Tensor]:
    """Numbers of the test images that ways join, [150, 2]; the angle of each on the cone."""
    images, factors = test_set()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(images), (RANDOM + DRAWN, 2), generator=generator)
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    random, rest = drawn[:RANDOM], drawn[RANDOM:]
    angle = cone.cone_sector(factors[rest[:, 0]], factors[rest[:, 1]]).angle
    chosen = torch.cat([random, rest[angle.topk(WIDE).indices]])
    return chosen, cone.cone_sector(factors[chosen[:, 0]], factors[chosen[:, 1]]).angle


def fine(paths: Tensor) -> Tensor:
    """Polylines [B, n, D] with ten times as many vertices on the same segments."""
    return F.interpolate(paths.transpose(1, 2), FINE, mode="linear", align_corners=True).mT


@torch.no_grad()
def measured(decode: Any, ways: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths of ways [B] in pixels, and ten images at equal shares of each [B, 10, P]."""
    lengths, images = [], []
    for way in fine(ways):
        decoded = decode(way).flatten(1).double()
        lengths.append(decoded.diff(dim=0).norm(dim=1).sum())
        images.append(resample(decoded, PLACES + 2)[1:-1])
    return torch.stack(lengths), torch.stack(images)


@cache
def truth(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """True distances [150] in pixels, places on the true ways [150, 10, P], cone's distances."""
    _, factors = test_set()
    chosen, _ = pairs(seed)
    ends = factors[chosen]
    begun = cone.cone_path(ends[:, 0].double(), ends[:, 1].double(), NODES)
    start = cone.places(begun.flatten(0, 1)).unflatten(0, begun.shape[:2])
    found = geometry.geodesic(cone.chart, start[:, 0], start[:, -1], NODES, initial=start)
    distance, images = measured(cone.chart, found.paths)
    cone_distance = cone.cone_sector(ends[:, 0].double(), ends[:, 1].double()).distance
    return distance, images, cone_distance


def spread(ratio: Tensor) -> dict[str, float]:
    """What is said of ratios to the true distance, by their logarithms."""
    logs = ratio.log()
    low, middle, high = logs.quantile(logs.new_tensor([0.05, 0.5, 0.95])).exp().tolist()
    return {
        "rms": logs.square().mean().sqrt().item(),
        "low": low,
        "median": middle,
        "high": high,
        "least": ratio.min().item(),
        "short": (ratio < SHORT).double().mean().item(),
    }


def reconstructed(model: Autoencoder, factors: Tensor) -> dict[str, Any]:
    """Steps, volumes and tangent spaces of what comes back, as ratios to the true ones."""
    places = cone.places(factors.double())

    def both(shift: Tensor) -> tuple[Tensor, Tensor]:
        images = cone.chart(places + shift)
        with torch.no_grad():
            back = model.decode(model.codes(images.float()).mu)
        return images.flatten(1), back.double().flatten(1)

    steps = [
        [(a - b) / (2 * STEP) for a, b in zip(both(shift), both(-shift), strict=True)]
        for shift in STEP * torch.eye(3, dtype=torch.float64)
    ]
    true, found = (torch.stack([step[i] for step in steps], 2) for i in (0, 1))
    lengths = found.norm(dim=1) / true.norm(dim=1)
    volumes = (found.mT @ found).det().sqrt() / (true.mT @ true).det().sqrt()
    bases = [torch.linalg.qr(part).Q for part in (true, found)]
    cosine = torch.linalg.svdvals(bases[0].mT @ bases[1])[:, -1].clamp(max=1)
    wanted = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
    return {
        "steps": lengths.quantile(wanted, 0).T.tolist(),
        "volume": volumes.quantile(wanted).tolist(),
        "angle": cosine.acos().rad2deg().quantile(wanted).tolist(),
    }


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure the ways of one model."""
    model = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model.eval()
    images, factors = test_set()
    chosen, angle = pairs(seed)
    distance, on_the_way, closed_form = truth(seed)
    codes = model.codes(images).mu
    start, end = codes[chosen[:, 0]], codes[chosen[:, 1]]
    found = geometry.geodesic(model.decode, start, end, NODES)
    t = torch.linspace(0, 1, NODES)[:, None]
    ways = {"geodesic": found.paths, "line": torch.lerp(start[:, None], end[:, None], t)}
    ends = images[chosen].flatten(2).double()
    lengths = {
        "chord": (ends[:, 0] - ends[:, 1]).norm(dim=1),
        "cone": closed_form,
    }
    latent = (start - end).norm(dim=1).double()
    lengths["latent"] = latent * (distance / latent)[:RANDOM].log().mean().exp()
    sets = {"random": slice(RANDOM), "wide": slice(RANDOM, None)}
    result: dict[str, Any] = {"off": {}, "beside": {}}
    for name, paths in ways.items():
        lengths[name], places = measured(model.decode, paths)
        fit = fit_heatmaps(places.flatten(0, 1).float().unflatten(1, (1, 36, 36)))
        off = (~fit.valid).unflatten(0, places.shape[:2]).double().mean(1)
        beside = (places - on_the_way).norm(dim=2).square().mean(1).sqrt() / distance
        result["off"][name] = {key: off[part].mean().item() for key, part in sets.items()}
        result["beside"][name] = {
            key: beside[part].square().mean().sqrt().item() for key, part in sets.items()
        }
    for name, length in lengths.items():
        result[name] = {key: spread((length / distance)[part]) for key, part in sets.items()}
    some = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:200]
    result["reconstructed"] = reconstructed(model, factors[some])
    result["converged"] = found.converged.double().mean().item()
    result["angle"] = {key: angle[part].rad2deg().median().item() for key, part in sets.items()}
    result["distance"] = {key: distance[part].median().item() for key, part in sets.items()}
    return rounded(result)


heatmap_geometry = Experiment(
    "heatmap_geometry",
    row,
    {"seed": range(22, 34), "kind": ["vae-optimal", "ae"]},
    uses=lambda seed, kind: [recipe(kind, seed).fingerprint],
    about={"nodes": NODES, "random": RANDOM, "wide": WIDE},
)
