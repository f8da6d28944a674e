r"""VAE against autoencoder on the Gaussian heatmaps, over five seeds and two likelihood variances.

A row is about one of the recipes `heatmap-vae-optimal-s*`, `heatmap-vae-half-s*` and
`heatmap-ae-s*`, which have one architecture:

- the reconstruction: Frobenius error on the test split of the grid and off the grid, and the
  distance of shapes, beside a look-up of the nearest training image;
- the cloud of the codes: how uneven its density is, and how much of its hull is empty;
- the validity of what is decoded (`fit_heatmaps`) at points picked in six ways;
- the validity beyond the hull, by steps;
- a two-sample test of random decodes against the test images.

The summary decides claims by exact permutation tests of the seeds of two kinds (for five and five
there are 252 divisions, so the least two-sided p-value is 2/252), adjusted by Holm's method over
all tests of a table. A run that collapsed, in which no latent dimension is active, is left out.

    make experiment NAME=vae_against_ae

The chapters on VAE and autoencoder and on a fourth factor read it.
"""

import base64
import math
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from scipy.spatial import ConvexHull, KDTree
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.measures import agreement, bounds
from vaebook.measures.heatmaps import fit_heatmaps
from vaebook.models import VAE, Autoencoder
from vaebook.tables import Experiment

KINDS = ("vae-optimal", "vae-half", "ae")
SEEDS = 5
POINTS = 1000  # picked in each way
SAMPLE = 200  # a side of a two-sample test
STEPS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)  # beyond the hull, in standard deviations of the codes
WEIGHTS = Path("_build/weights")
LOW, HIGH = torch.tensor([0.1, 0.1, -0.95]), torch.tensor([4.9, 4.9, 0.85])  # of the grid


def off_grid(n: int, seed: int = 0) -> datasets.ImageSet:
    """Return heatmaps with factors drawn uniformly within the range of the grid."""
    draws = torch.rand(n, 3, generator=torch.Generator().manual_seed(seed))
    factors = dict(zip(("var_x", "var_y", "corr"), (LOW + draws * (HIGH - LOW)).T, strict=True))
    return datasets.ImageSet(datasets.heatmap_images(**factors), factors=factors)


@cache
def sets() -> dict[str, datasets.ImageSet]:
    train, test = datasets.heatmaps().split(0.8, seed=0)
    return {"train": train, "test": test, "off_grid": off_grid(len(test))}


def error_summary(errors: Tensor) -> dict[str, float]:
    """Return mean, quantiles and tails of errors [N]."""
    median, q90, q99 = errors.quantile(torch.tensor([0.5, 0.9, 0.99])).tolist()
    return {
        "mean": errors.mean().item(),
        "median": median,
        "q90": q90,
        "q99": q99,
        "max": errors.max().item(),
        "kurtosis": float(stats.kurtosis(errors.numpy())),
        "q99_to_median": q99 / median,
    }


class Cloud:
    """The codes of the training images, with the cloud brought to unit covariance."""

    def __init__(self, codes: Tensor) -> None:
        self.mean = codes.mean(0)
        self.root = torch.linalg.cholesky(codes.T.cov())
        self.points = self.whiten(codes).double().numpy()
        self.tree = KDTree(self.points)
        # The distance of a code to the nearest other one.
        self.nearest = self.tree.query(self.points, k=2)[0][:, 1]
        self.reach = float(np.quantile(self.nearest, 0.99))
        self.hull = ConvexHull(self.points)

    def whiten(self, z: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(self.root, (z - self.mean).T, upper=False).T

    def colour(self, points: np.ndarray) -> Tensor:
        return self.mean + torch.from_numpy(points).float() @ self.root.T

    def inside(self, points: np.ndarray) -> np.ndarray:
        normals, offsets = self.hull.equations[:, :-1], self.hull.equations[:, -1]
        parts = np.array_split(points, max(1, len(points) // 2000))  # hundreds of facets each
        return np.concatenate([(part @ normals.T + offsets <= 1e-9).all(1) for part in parts])

    def uniform(self, n: int, inside: bool, rng: np.random.Generator) -> np.ndarray:
        """Draw from the box that holds the codes: from the hull, or from what is outside it."""
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < n:
            box = rng.uniform(self.points.min(0), self.points.max(0), (4 * n, 3))
            parts.append(box[self.inside(box) == inside])
        return np.concatenate(parts)[:n]

    def distance(self, points: np.ndarray) -> np.ndarray:
        return self.tree.query(points)[0]

    def empty(self, n: int, inside: bool, rng: np.random.Generator) -> Tensor:
        """Draw points that lie beyond the reach of every code."""
        parts: list[np.ndarray] = []
        for _ in range(200):
            draws = self.uniform(10 * n, inside, rng)
            parts.append(draws[self.distance(draws) > self.reach])
            if sum(map(len, parts)) >= n:
                break
        return self.colour(np.concatenate(parts)[:n])

    def beyond(self, steps: tuple[float, ...]) -> list[Tensor]:
        """Return the corners of the hull, pushed away from its centre by each step."""
        corners = self.points[self.hull.vertices]
        outward = corners / np.linalg.norm(corners, axis=1, keepdims=True)
        return [self.colour(corners + step * outward) for step in steps]


def ways(
    model: VAE | Autoencoder, cloud: Cloud, codes: Tensor, test: Tensor, seed: int
) -> dict[str, Tensor]:
    """Pick points of latent space in six ways, each [POINTS, D]."""
    draws = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    test_codes = model.codes(test[:POINTS]).mu
    one, two = torch.randint(len(codes), (2, POINTS), generator=draws)
    t = torch.rand(POINTS, 1, generator=draws)
    noise = torch.randn(2, POINTS, codes.shape[1], generator=draws)
    return {
        "reconstructions": test_codes,
        "lines": torch.lerp(codes[one], codes[two], t),
        "prior": noise[0],
        "gaussian": cloud.mean + noise[1] @ cloud.root.T,
        "gaps": cloud.empty(POINTS, True, rng),
        "outside": cloud.empty(POINTS, False, rng),
    }


def decode(model: VAE | Autoencoder, z: Tensor) -> Tensor:
    return torch.cat([model.decode(part) for part in z.split(1000)])


def fit_summary(images: Tensor) -> dict[str, float]:
    """Return how far decoded images are from heatmaps, and how many of those out of range."""
    fit = fit_heatmaps(images)
    factors = torch.stack(fit[:3], dim=1)
    margin = 0.05 * (HIGH - LOW)  # reconstructions of the border are not out of range
    out = ((factors < LOW - margin) | (factors > HIGH + margin)).any(1)
    return {
        "invalid": 1 - fit.valid.double().mean().item(),
        "median": fit.relative.median().item(),
        "q90": fit.relative.quantile(0.9).item(),
        "out_of_range": (out & fit.valid).double().mean().item(),
    }


def packed(errors: Tensor) -> str:
    """Return errors [N] as text: the bootstrap over images needs each."""
    return base64.b64encode(errors.numpy().astype("<f2").tobytes()).decode()


def unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float64)


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure one model."""
    model = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model
    train, test = sets()["train"], sets()["test"]
    codes = model.codes(train.images).mu
    active = int(bounds.active_units(codes).sum())
    if not active:
        errors = bounds.reconstruction_errors(model, test.images)
        return rounded({"collapsed": True, "active_units": 0, "error": errors.mean().item()})
    found: dict[str, Any] = {"collapsed": False, "active_units": active}
    cloud = Cloud(codes)
    for place in ("test", "off_grid"):
        images = sets()[place].images
        errors = bounds.reconstruction_errors(model, images)
        decoded = decode(model, model.codes(images).mu).clamp_min(0)
        shapes = agreement.shape_distance(images, decoded)
        together = float(stats.spearmanr(errors, shapes).statistic)
        found[place] = {
            "pixels": error_summary(errors),
            "shape": error_summary(shapes) | {"spearman_to_pixels": together},
            "errors": packed(errors),
        }

    rng = np.random.default_rng(seed)
    in_hull = cloud.uniform(20_000, True, rng)
    found["cloud"] = {
        # Of a uniform cloud in three dimensions this would be 1.7.
        "nearest_q99_to_median": cloud.reach / float(np.median(cloud.nearest)),
        "empty_share_of_hull": float((cloud.distance(in_hull) > cloud.reach).mean()),
        "largest_gap": float(cloud.distance(in_hull).max()),
    }

    points = ways(model, cloud, codes, test.images, seed)
    found["validity"] = {way: fit_summary(decode(model, z)) for way, z in points.items()}
    found["validity_beyond_hull"] = {
        "steps": STEPS,
        "invalid": [fit_summary(decode(model, z))["invalid"] for z in cloud.beyond(STEPS)],
    }
    draws = torch.Generator().manual_seed(seed)
    # Not the images whose reconstructions are compared: the two samples must be independent.
    real = test.images[SAMPLE + torch.randperm(len(test) - SAMPLE, generator=draws)[:SAMPLE]]
    found["two_sample"] = {
        way: two_sample(decode(model, points[way][:SAMPLE]), real, draws)
        for way in ("reconstructions", "prior", "gaussian")
    }
    return rounded(found)


def two_sample(one: Tensor, two: Tensor, generator: torch.Generator) -> dict[str, float]:
    return agreement.two_sample_test(one, two, 999, generator)._asdict()


def look_up(train: Tensor, images: Tensor) -> Tensor:
    """Return the distance of each image to the nearest training image, [N]."""
    nearest = []
    for part in images.flatten(1).split(500):
        _, index = torch.cdist(part, train.flatten(1)).min(1)
        nearest.append((part - train.flatten(1)[index]).norm(dim=1))
    return torch.cat(nearest)


def permutation_p(a: list[float], b: list[float]) -> float:
    """Return the exact two-sided p-value of the difference in means over all divisions."""
    pooled = np.array([*a, *b])
    observed = abs(np.mean(a) - np.mean(b))
    n = len(a)
    differences = []
    for chosen in combinations(range(len(pooled)), n):
        mask = np.zeros(len(pooled), bool)
        mask[list(chosen)] = True
        differences.append(abs(pooled[mask].mean() - pooled[~mask].mean()))
    return float(np.mean(np.array(differences) >= observed - 1e-12))


def least_p(n: int, m: int) -> float:
    """Return the smallest p-value that the test can give: the mirror image counts if n = m."""
    return (2 if n == m else 1) / math.comb(n + m, n)


def holm(p: list[float]) -> list[float]:
    """Return p-values adjusted for as many tests as there are."""
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = running
    return adjusted.tolist()


def compare(results: dict[str, list[dict[str, Any]]], claims: dict[str, list[str]]) -> list[dict]:
    """Test the autoencoder against each VAE in each measure."""
    rows: list[dict[str, Any]] = []
    for claim, path in claims.items():
        values = {}
        for kind, runs in results.items():
            column = []
            for run in runs:
                value: Any = run
                for key in path:
                    value = value[key]
                column.append(float(value))
            values[kind] = column
        for kind in KINDS[:-1]:
            rows.append(
                {
                    "claim": claim,
                    "ae": float(np.mean(values["ae"])),
                    "against": kind,
                    "vae": float(np.mean(values[kind])),
                    "p": permutation_p(values["ae"], values[kind]),
                    "least_p": least_p(len(values["ae"]), len(values[kind])),
                }
            )
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p
    return rows


CLAIMS = {
    "reconstruction error, test": ["test", "pixels", "mean"],
    "reconstruction error, off the grid": ["off_grid", "pixels", "mean"],
    "tails of the error (kurtosis), test": ["test", "pixels", "kurtosis"],
    "tails of the error (99 % to median), test": ["test", "pixels", "q99_to_median"],
    "error of shape, test": ["test", "shape", "mean"],
    "uneven density of codes": ["cloud", "nearest_q99_to_median"],
    "empty share of the hull": ["cloud", "empty_share_of_hull"],
}
VALIDITY = {
    f"invalid: {way}": ["validity", way, "invalid"]
    for way in ("reconstructions", "lines", "prior", "gaussian", "gaps", "outside")
}


def per_image(results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Bootstrap, over images, the difference of the errors averaged over seeds: AE minus VAE."""
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for place in ("test", "off_grid"):
        means = {
            kind: np.mean([unpacked(run[place]["errors"]) for run in runs], axis=0)
            for kind, runs in results.items()
        }
        found[place] = {}
        for kind in KINDS[:-1]:
            difference = means["ae"] - means[kind]
            resampled = [rng.choice(difference, len(difference)).mean() for _ in range(2000)]
            low, high = np.quantile(resampled, [0.025, 0.975])
            found[place][kind] = {
                "difference": float(difference.mean()),
                "low": float(low),
                "high": float(high),
                "ae_better": float((difference < 0).mean()),
            }
    return found


def rounded(value: Any) -> Any:
    """Return a copy with five significant digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Decide the claims, and measure what the models are compared with."""
    results = {
        kind: [run for run in rows if run["kind"] == kind and not run["collapsed"]]
        for kind in KINDS
    }
    train, test = sets()["train"].images, sets()["test"].images
    draws = torch.Generator().manual_seed(0)
    real = []
    for _ in range(SEEDS):
        one, two = torch.randperm(len(test), generator=draws)[: 2 * SAMPLE].split(SAMPLE)
        real.append(two_sample(test[one], test[two], draws))
    found = {
        "look_up": {
            place: error_summary(look_up(train, sets()[place].images))
            for place in ("test", "off_grid")
        },
        "real_two_sample": real,
        "per_image": per_image(results),
        "tests": compare(results, CLAIMS),
        "validity_tests": compare(results, VALIDITY),
    }
    return rounded(found)


vae_against_ae = Experiment(
    "vae_against_ae",
    row,
    {"kind": KINDS, "seed": range(SEEDS)},
    uses=lambda kind, seed: [recipe(kind, seed).fingerprint],
    about={"points": POINTS, "sample": SAMPLE, "tolerance": 0.1},
    summarize=summarize,
)
