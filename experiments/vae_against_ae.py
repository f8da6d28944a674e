"""VAE against autoencoder on the heatmaps, beyond what the study's claims ask, over twelve seeds.

    make experiment NAME=vae_against_ae

A row is about one of the recipes `heatmap-*-s22` to `heatmap-*-s33`: a VAE with fitted variance,
one with variance 1/2, or an autoencoder. It has

- the error off the grid, from means and from samples of the codes, and how often a model beats a
  look-up of the nearest training image;
- the distance of shapes on the test images, and whether it goes along with the error;
- how many decodes are no heatmaps, and how many of the others have factors that the data don't
  have, for codes picked in five ways;
- how many decodes are no heatmaps at places of the hull, by the distance to the nearest code of a
  true heatmap, on the grid or off it;
- how many decodes are no heatmaps when corners of the hull are moved at random, by several sizes;
- how often a two-sample test at 5 % rejects decodes, by the number of images in a sample.

The rule for the last, stated before the run: at a number of images decodes are *like data* when
in at least eleven of the twelve models at most 15 % of the tests reject (ten points above the
level), *told from data* when in at least eleven at least half do, and undecided otherwise.

What decides the claims is in `heatmap_claims`. The chapter on VAE and autoencoder reads this.
"""

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.latent.shapes import Cloud, convex_hull, whiten
from vaebook.measures import agreement, bounds
from vaebook.measures.heatmaps import fit_heatmaps
from vaebook.models import VAE, Autoencoder
from vaebook.tables import Experiment, rounded

KINDS = ("vae-optimal", "vae-half", "ae")
SEEDS = range(22, 34)
POINTS = 500  # picked in each way
SIZES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)  # of a random move, in standard deviations of the codes
SAMPLES = (25, 50, 100, 200)  # images on each side of a two-sample test
TESTS = 20  # of each number of images
FAR = 0.3  # from all codes of unit covariance: what is farther is empty, as in `heatmap_claims`
EDGES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # of such distances
PLACES, FEWEST = 100, 10  # between two of them
WEIGHTS = Path("_build/weights")
LOW, HIGH = torch.tensor([0.1, 0.1, -0.95]), torch.tensor([4.9, 4.9, 0.85])  # of the grid


def off_grid(n: int) -> Tensor:
    """Return heatmaps with factors drawn uniformly within the range of the grid."""
    draws = torch.rand(n, 3, generator=torch.Generator().manual_seed(0))
    return datasets.heatmap_images(*(LOW + draws * (HIGH - LOW)).T)


@cache
def sets() -> dict[str, Tensor]:
    everything = datasets.heatmaps()
    train, test = everything.split(0.8, seed=0)
    return {
        "all": everything.images,
        "train": train.images,
        "test": test.images,
        "off_grid": off_grid(len(everything)),
    }


def look_up(train: Tensor, images: Tensor) -> Tensor:
    """Return the distance of each image to the nearest training image, [N]."""
    nearest = []
    for part in images.flatten(1).split(500):
        _, index = torch.cdist(part, train.flatten(1)).min(1)
        nearest.append((part - train.flatten(1)[index]).norm(dim=1))
    return torch.cat(nearest)


@cache
def looked_up() -> dict[str, Tensor]:
    return {place: look_up(sets()["train"], sets()[place]) for place in ("test", "off_grid")}


def spread(errors: Tensor) -> dict[str, float]:
    """Return mean, median and tail of errors [N]."""
    median, q99 = errors.quantile(torch.tensor([0.5, 0.99])).tolist()
    return {"mean": errors.mean().item(), "median": median, "q99": q99}


def uniform(cloud: Cloud, n: int, inside: bool, rng: np.random.Generator) -> Tensor:
    """Draw from the box that holds the codes: from the hull, or from what is outside it."""
    low, high = cloud.points.numpy().min(0), cloud.points.numpy().max(0)
    parts: list[Tensor] = []
    while sum(map(len, parts)) < n:
        box = torch.from_numpy(rng.uniform(low, high, (2000, 3)))
        parts.append(box[(cloud.hull.depth(box) >= 0) == inside])
    return torch.cat(parts)[:n]


def ways(
    model: VAE | Autoencoder, cloud: Cloud, codes: Tensor, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Pick codes in five ways, each [POINTS, 3]."""
    draws = torch.Generator().manual_seed(int(rng.integers(2**31)))
    one, two = torch.randint(len(codes), (2, POINTS), generator=draws)
    t = torch.rand(POINTS, 1, generator=draws)
    noise = torch.randn(2, POINTS, 3, generator=draws)
    outside = uniform(cloud, 20 * POINTS, False, rng)
    alone = cloud.distance(outside) > FAR
    return {
        "reconstructions": model.codes(sets()["test"][:POINTS]).mu,
        "chords": torch.lerp(codes[one], codes[two], t),
        "prior": noise[0],
        "gaussian": cloud.mean + noise[1] @ cloud.root.T,
        "outside": cloud.back(outside[alone][:POINTS]),
    }


def decode(model: VAE | Autoencoder, z: Tensor) -> Tensor:
    return torch.cat([model.decode(part) for part in z.split(1000)])


def judged(images: Tensor) -> dict[str, float]:
    """Return the share that is no heatmap, and the share that is one the data don't have."""
    fit = fit_heatmaps(images)
    factors = torch.stack(fit[:3], dim=1)
    margin = 0.05 * (HIGH - LOW)  # reconstructions of the border are not out of range
    out = ((factors < LOW - margin) | (factors > HIGH + margin)).any(1)
    return {
        "invalid": 1 - fit.valid.double().mean().item(),
        "out_of_range": (out & fit.valid).double().mean().item(),
    }


def by_distance(
    model: VAE | Autoencoder, cloud: Cloud, rng: np.random.Generator
) -> list[float | None]:
    """Return how many decodes are no heatmaps between each two of EDGES, None where is no room."""
    points = uniform(cloud, 60_000, True, rng)
    distance = cloud.distance(points)
    found: list[float | None] = []
    for low, high in pairwise(EDGES):
        some = points[(distance >= low) & (distance < high)][:PLACES]
        enough = len(some) >= FEWEST
        found.append(judged(decode(model, cloud.back(some)))["invalid"] if enough else None)
    return found


def moved(model: VAE | Autoencoder, cloud: Cloud, codes: Tensor) -> list[float]:
    """Return how many decodes are no heatmaps at corners of the hull, moved by each size."""
    draws = torch.Generator().manual_seed(0)
    corners = convex_hull(cloud.points).vertices
    some = codes[corners[torch.randint(len(corners), (POINTS,), generator=draws)]]
    noise = codes.std(0) * torch.randn(POINTS, 3, generator=draws)
    return [judged(decode(model, some + size * noise))["invalid"] for size in SIZES]


def rejections(images: Tensor, real: Tensor, generator: torch.Generator) -> list[float]:
    """Return the share of tests at 5 % that reject, for each number of images in a sample."""
    found = []
    for n in SAMPLES:
        p = []
        for _ in range(TESTS):
            one, two = (x[torch.randperm(len(x), generator=generator)[:n]] for x in (images, real))
            p.append(agreement.two_sample_test(one, two, 199, generator).p_value)
        found.append(float(np.mean(np.array(p) <= 0.05)))
    return found


def halves() -> tuple[Tensor, Tensor]:
    """Return two halves of the test images: one is reconstructed, the other compared with."""
    test = sets()["test"]
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    one, two = test[order].chunk(2)
    return one, two


def told(model: VAE | Autoencoder, cloud: Cloud) -> dict[str, list[float]]:
    draws = torch.Generator().manual_seed(0)
    seen, real = halves()
    noise = torch.randn(2, len(seen), 3, generator=draws)
    codes = {
        "reconstructions": model.codes(seen).mu,
        "prior": noise[0],
        "gaussian": cloud.mean + noise[1] @ cloud.root.T,
    }
    return {way: rejections(decode(model, z), real, draws) for way, z in codes.items()}


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure one model; one that has collapsed has no more to tell."""
    model = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model
    codes = model.codes(sets()["all"]).mu
    active = int(bounds.active_units(codes).sum())
    if active < 3:
        return {"active_units": active}
    found: dict[str, Any] = {"active_units": active, "off_grid": {}, "beats_look_up": {}}

    test, new = sets()["test"], sets()["off_grid"]
    own = model.codes(new)
    for name, z in (
        ("mean_code", own.mu),
        ("sampled_code", own.sample(torch.Generator().manual_seed(0))),
    ):
        found["off_grid"][name] = spread((new - decode(model, z)).flatten(1).norm(dim=1))
    for place in ("test", "off_grid"):
        errors = bounds.reconstruction_errors(model, sets()[place])
        better = errors < looked_up()[place]
        found["beats_look_up"][place] = better.double().mean().item()
    errors = bounds.reconstruction_errors(model, test)
    shapes = agreement.shape_distance(test, decode(model, model.codes(test).mu).clamp_min(0))
    together = float(stats.spearmanr(errors, shapes).statistic)
    found["shape"] = spread(shapes) | {"rank_with_error": together}

    rng = np.random.default_rng(seed)
    cloud = whiten(codes, own.mu)
    picked = ways(model, cloud, codes, rng)
    found["validity"] = {way: judged(decode(model, z)) for way, z in picked.items()}
    found["by_distance"] = by_distance(model, cloud, rng)
    found["hull"] = moved(model, cloud, codes)
    found["told"] = told(model, cloud)
    return rounded(found)


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Measure what the models are compared with: a look-up, and real images among themselves."""
    real = [rejections(*halves(), torch.Generator().manual_seed(seed)) for seed in SEEDS]
    return rounded(
        {
            "look_up": {place: spread(errors) for place, errors in looked_up().items()},
            "real": np.mean(real, axis=0).tolist(),
        }
    )


vae_against_ae = Experiment(
    "vae_against_ae",
    row,
    {"kind": KINDS, "seed": SEEDS},
    uses=lambda kind, seed: [recipe(kind, seed).fingerprint],
    about={
        "points": POINTS,
        "sizes": SIZES,
        "edges": EDGES,
        "far": FAR,
        "samples": SAMPLES,
        "tests": TESTS,
    },
    summarize=summarize,
)
