"""The numbers by which the heatmap study's claims are decided, over twelve fresh seeds.

    make experiment NAME=heatmap_claims

A row is about one of the recipes `heatmap-*-s10` to `heatmap-*-s21`, which start from He's
weights: a VAE with fitted variance, one with variance 1/2, and an autoencoder. What its numbers
are stands in `vaebook/tables/claims.toml`.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.interpolate import PchipInterpolator
from scipy.optimize import linear_sum_assignment
from scipy.spatial import ConvexHull, KDTree, procrustes
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.latent import shapes
from vaebook.measures import bounds
from vaebook.measures.heatmaps import HeatmapFit, fit_heatmaps
from vaebook.tables import Experiment

KINDS = ("vae-optimal", "vae-half", "ae")
SEEDS = range(10, 22)
WEIGHTS = Path("_build/weights")
STEPS = 49
BINS = 6
NEIGHBOURS = 15
RADIUS = 1.2  # of an arc, in standard deviations of the codes
NEAR = 0.1  # the share of the codes nearest to a bounding plane
POINTS = 1000  # in empty places
LEVELS = (0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 4.9)  # both variances of a line along the correlation
LOW, HIGH = torch.tensor([0.1, 0.1, -0.95]), torch.tensor([4.9, 4.9, 0.85])  # of the grid

Numbers = NDArray[np.float64]


@cache
def heatmaps() -> dict[str, Any]:
    """All heatmaps, the two parts of their split, their factors, and as many off the grid."""
    everything = datasets.heatmaps()
    train, test = everything.split(0.8, seed=0)
    f = everything.factors
    draws = torch.rand(len(everything), 3, generator=torch.Generator().manual_seed(0))
    off_grid = datasets.heatmap_images(*(LOW + draws * (HIGH - LOW)).T)
    return {
        "all": everything.images,
        "train": train.images,
        "test": test.images,
        "off_grid": off_grid,
        "corr": f["corr"],
        "var_x": f["var_x"],
        "var_y": f["var_y"],
        "difference": f["var_x"] - f["var_y"],
        "sum": f["var_x"] + f["var_y"],
    }


def factors(*names: str) -> Tensor:
    return torch.stack([heatmaps()[name] for name in names], 1)


def rank(a: Any, b: Any) -> float:
    """Spearman's rank correlation; 0 where one is constant, in which nothing goes along."""
    found = float(stats.spearmanr(a, b)[0])
    return found if math.isfinite(found) else 0.0


def angle(fit: HeatmapFit) -> Tensor:
    """The angle of the ellipse's long axis along a path, in degrees, without jumps of 180."""
    twice = torch.atan2(2 * fit.corr * (fit.var_x * fit.var_y).sqrt(), fit.var_x - fit.var_y)
    steps = torch.remainder(twice.diff() + math.pi, 2 * math.pi) - math.pi
    return torch.cat([twice[:1], twice[:1] + steps.cumsum(0)]) * 90 / math.pi


def spread(values: Tensor) -> float:
    return (values.max() - values.min()).item()


class Model:
    """A trained model with its codes of all heatmaps."""

    def __init__(self, kind: str, seed: int) -> None:
        trained = recipes.train(recipe(kind, seed), WEIGHTS, progress=False)
        self.model = trained.model
        codes = self.model.codes(heatmaps()["all"])
        self.mu = codes.mu
        self.active = int(bounds.active_units(self.mu).sum())

    def decode(self, z: Tensor) -> Tensor:
        return torch.cat([self.model.decode(part) for part in z.split(1000)])

    def codes(self, images: Tensor) -> Tensor:
        return self.model.codes(images).mu

    def invalid(self, z: Tensor) -> float:
        return 1 - fit_heatmaps(self.decode(z)).valid.double().mean().item()


class Axes:
    """Three axes of a model by the names of the study's pictures: east, back, north."""

    def __init__(self, model: Model, wanted: Sequence[str], turned: bool) -> None:
        self.model = model
        target = factors(*wanted)
        if turned:
            self.alignment = shapes.align(model.mu, target)
        else:
            ranks = np.array([[rank(z, f) for f in target.T] for z in model.mu.T])
            order = linear_sum_assignment(-np.abs(ranks).T)[1]
            signs = np.sign(ranks[order, range(3)])
            rotation = torch.zeros(3, 3)
            rotation[order, range(3)] = torch.from_numpy(signs).float()
            self.alignment = shapes.Alignment(torch.zeros(3), rotation)
        self.points = self.alignment.forward(model.mu)
        self.mean, self.scale = self.points.mean(0), self.points.std(0)
        self.origin = self.alignment.forward(torch.zeros(1, 3))[0]

    def line(self, direction: Sequence[float], through: Tensor, tail: float) -> Tensor:
        """Points along a direction in units of the scales, from quantile to quantile."""
        step = torch.tensor(direction) * self.scale
        step = step / step.norm()
        along = (self.points - through) @ step
        low, high = along.quantile(torch.tensor([tail, 1 - tail])).tolist()
        t = torch.linspace(low, high, STEPS)
        return through + t[:, None] * step

    def decoded(self, points: Tensor) -> HeatmapFit:
        return fit_heatmaps(self.model.decode(self.alignment.back(points)))


# --- Reading factors off projections -----------------------------------------------------------


def read_off(plane: Tensor, target: Tensor) -> Numbers:
    """What is read of a factor from the nearest neighbours in a plane, cross-validated."""
    folds = KFold(5, shuffle=True, random_state=0)
    reader = KNeighborsRegressor(NEIGHBOURS)
    guess = cross_val_predict(reader, plane.double().numpy(), target.double().numpy(), cv=folds)
    return np.asarray(guess, dtype=np.float64)


def projections(axes: Axes) -> dict[str, Any]:
    """How sharply the factors separate in the three projections."""
    r2: dict[tuple[int, int], dict[str, float]] = {}
    edges = []
    for plane in ((0, 2), (0, 1), (1, 2)):
        points = axes.points[:, list(plane)]
        radius = ((points - points.mean(0)) / points.std(0)).norm(dim=1).numpy()
        inner = radius <= np.median(radius)
        r2[plane] = {}
        for name in ("corr", "var_x", "var_y"):
            truth = heatmaps()[name].double().numpy()
            wrong = np.abs(read_off(points, heatmaps()[name]) - truth)
            r2[plane][name] = 1 - float((wrong**2).sum() / ((truth - truth.mean()) ** 2).sum())
            if plane == (0, 1) and name != "corr":
                edges.append(wrong[inner].mean() - wrong[~inner].mean())
    best = {name: max(found[name] for found in r2.values()) for name in ("corr", "var_x", "var_y")}

    def variances(plane: tuple[int, int]) -> float:
        return (r2[plane]["var_x"] + r2[plane]["var_y"]) / 2

    return {
        "contrast_02": r2[0, 2]["corr"] - max(r2[0, 2]["var_x"], r2[0, 2]["var_y"]),
        "gain_01": variances((0, 1)) - variances((0, 2)),
        "edges_01": float(np.mean(edges)),
        "easiest": best["corr"] - max(best["var_x"], best["var_y"]),
        "r2": {"{}{}".format(*plane): found for plane, found in r2.items()},
    }


# --- Walks -------------------------------------------------------------------------------------


def walk(axes: Axes, points: Tensor, tree: KDTree) -> dict[str, float]:
    """Decode a path, fit the factors back, and say what they do."""
    fit = axes.decoded(points)
    ratio = (fit.var_x / fit.var_y).log()
    distance = tree.query(axes.alignment.back(points).double().numpy())[0]
    steps = ratio.diff().abs()
    return {
        "corr_range": spread(fit.corr),
        "angle_range": spread(angle(fit)),
        "ratio_rank": abs(rank(range(STEPS), ratio)),
        "ratio_reach": max(0.0, min(ratio.max().item(), -ratio.min().item())),
        "largest_step": (steps.max() / spread(ratio)).item(),
        "invalid": 1 - fit.valid.double().mean().item(),
        "lonely": rank(distance, fit.relative),
    }


def walks(turned: Axes, trained: Axes, tree: KDTree) -> dict[str, Any]:
    found: dict[str, Any] = {"turned": {}, "trained": {}}
    for name, where, axes, through in (
        ("turned", "mean", turned, turned.mean),
        ("turned", "origin", turned, turned.origin),
        ("trained", "origin", trained, trained.origin),
    ):
        lines = {"02": (1.0, 0.0, 1.0), "01": (1.0, 0.0, 0.0)}
        found[name][where] = {
            plane: walk(axes, axes.line(way, through, 0.01), tree) for plane, way in lines.items()
        }
        for line in found[name][where].values():
            line["ratio_reach"] = math.exp(line["ratio_reach"])  # as a factor
    return found


def arcs(axes: Axes) -> dict[str, Any]:
    found = {}
    theta = torch.linspace(0, math.pi, STEPS)
    for name, centre in (("mean", axes.mean), ("origin", axes.origin)):
        points = centre.repeat(STEPS, 1)
        points[:, 0] += RADIUS * axes.scale[0] * theta.cos()
        points[:, 2] += RADIUS * axes.scale[2] * theta.sin()
        turned = angle(axes.decoded(points))
        found[name] = {"rank": abs(rank(theta, turned)), "angle_range": spread(turned)}
    return found


def height(axes: Axes) -> dict[str, float]:
    corr = axes.decoded(axes.line((0.0, 0.0, 1.0), axes.mean, 0.0)).corr
    return {"rank": abs(rank(range(STEPS), corr)), "corr_range": spread(corr)}


def sides(axes: Axes) -> dict[str, float]:
    east, difference = axes.points[:, 0], heatmaps()["difference"]
    size = difference.abs()
    depth = shapes.convex_hull(axes.points).depth(axes.points)
    low, high = size.quantile(torch.tensor([0.1, 0.9]))
    nearer = stats.mannwhitneyu(depth[size <= low], depth[size >= high]).statistic
    pairs = int((size <= low).sum()) * int((size >= high).sum())
    return {
        "rank": abs(rank(east, difference)),
        "middle_rank": rank((east - east.median()).abs(), size),
        "exterior": float(nearer) / pairs,
    }


# --- Curves through strips ---------------------------------------------------------------------


def curve(points: Tensor, axis: int) -> Tensor:
    """The monotone spline through the means of the bins along an axis that hold a point."""
    x = points[:, axis].double().numpy()
    edges = np.linspace(x.min(), x.max(), BINS + 1)
    bins = np.searchsorted(edges[1:-1], x, side="right")
    cloud = points.double().numpy()
    means = np.stack([cloud[bins == k].mean(0) for k in range(BINS) if (bins == k).any()])
    t = np.linspace(means[0, axis], means[-1, axis], STEPS)
    return torch.from_numpy(PchipInterpolator(means[:, axis], means)(t)).to(points)


def strip(axes: Axes) -> dict[str, float]:
    """The isovariance strip of the hull."""
    depth = shapes.convex_hull(axes.points).depth(axes.points)
    wanted = (heatmaps()["difference"].abs() < 0.01) & (heatmaps()["sum"] > 6)
    wanted &= depth <= depth[wanted].median()
    points = axes.points[wanted]
    path = curve(points, 2)
    corr = axes.decoded(path).corr
    off = KDTree(path.numpy()).query(points.numpy())[0]
    length = path.diff(dim=0).norm(dim=1).sum().item()
    return {
        "rank": abs(rank(range(STEPS), corr)),
        "reach": max(0.0, min(corr.max().item(), -corr.min().item())),
        "thickness": float(np.sqrt((off**2).mean())) / length,
    }


def planes(axes: Axes) -> dict[str, dict[str, float]]:
    """Along the planes that bound the north over the back, at a constant first coordinate."""
    found = {}
    for side, above in (("above", True), ("below", False)):
        gap = shapes.bounding_plane(axes.points, 2, (1,), above).gap(axes.points)
        near = axes.points[gap <= gap.quantile(NEAR)]
        east = (near[:, 0] - axes.points[:, 0].median()).abs()
        fit = axes.decoded(curve(near[east <= east.median()], 1))
        trace, root = (
            fit.var_x + fit.var_y,
            ((fit.var_x - fit.var_y) ** 2 + 4 * fit.corr**2 * fit.var_x * fit.var_y).sqrt(),
        )
        sharp = ((trace + root) / (trace - root)).sqrt()  # long over short axis
        found[side] = {
            "corr_range": spread(fit.corr),
            "corr_min": fit.corr.min().item(),
            "corr_max": fit.corr.max().item(),
            "ratio_var_x": (fit.var_x.max() / fit.var_x.min()).item(),
            "rank_var_y": abs(rank(range(STEPS), fit.var_y)),
            "sharpening": (sharp.max() / sharp.min()).item(),
        }
    return found


# --- The kink ----------------------------------------------------------------------------------


@cache
def lines_of_correlation(n: int = 181) -> Tensor:
    r = torch.linspace(-0.95, 0.85, n, dtype=torch.float64)
    level = torch.tensor(LEVELS, dtype=torch.float64).repeat_interleave(n)
    return datasets.heatmap_images(level, level, r.repeat(len(LEVELS)))


def kink(model: Model) -> dict[str, float]:
    lines = model.codes(lines_of_correlation()).double().unflatten(0, (len(LEVELS), -1))
    n = lines.shape[1]
    corr = torch.linspace(-0.95, 0.85, n)
    pace = lines.diff(dim=1).norm(dim=2)
    middle = corr[:-1].abs() <= 0.5
    speed = pace[:, middle].median(1).values
    widest = lines[-1]
    # Twenty legs of equal length: two corners are a tenth, and the noise of single steps is out.
    length = torch.cat([torch.zeros(1), pace[-1].cumsum(0)]).numpy()
    even = np.linspace(0, length[-1], 101)
    smooth = np.stack([np.interp(even, length, c) for c in widest.T.numpy()], 1)
    legs = torch.from_numpy(smooth).unfold(0, 6, 5)[..., [0, -1]].diff(dim=2)[..., 0]
    turns = torch.acos(torch.cosine_similarity(legs[1:], legs[:-1]).clamp(-1, 1))
    within = turns.unfold(0, 2, 1).sum(1).max()

    def turn(path: Tensor) -> float:
        tenth = n // 10
        a, b = path[tenth] - path[0], path[-1] - path[-1 - tenth]
        return math.degrees(torch.acos(torch.cosine_similarity(a, b, dim=0).clamp(-1, 1)).item())

    return {
        "sharpest": (within / turns.sum()).item(),
        "speed": (speed[-1] / speed[:-1].max()).item(),
        "turn": turn(widest),
        "turn_change": turn(widest) - turn(lines[LEVELS.index(0.5)]),
    }


# --- Against an autoencoder --------------------------------------------------------------------


def errors(model: Model) -> dict[str, Any]:
    test = heatmaps()["test"]
    codes = model.model.codes(test)
    norms = test.flatten(1).norm(dim=1)
    found: dict[str, Any] = {}
    for name, z in (
        ("mean_code", codes.mu),
        ("sampled_code", codes.sample(torch.Generator().manual_seed(0))),
    ):
        wrong = (test - model.decode(z)).flatten(1).norm(dim=1)
        worst = wrong.topk(10).indices
        found[name] = {
            "mean": wrong.mean().item(),
            "median": wrong.median().item(),
            "q99": wrong.quantile(0.99).item(),
            "kurtosis": float(stats.kurtosis(wrong.numpy())),
            "worst": (wrong[worst] / norms[worst]).mean().item(),
        }
        if name == "mean_code":
            known = KDTree(model.codes(heatmaps()["train"]).double().numpy())
            found["lonely"] = rank(known.query(codes.mu.double().numpy())[0], wrong)
    return found


class Cloud:
    """The codes, brought to unit covariance, and what of their hull is empty."""

    def __init__(self, model: Model) -> None:
        self.mean = model.mu.mean(0)
        self.root = torch.linalg.cholesky(model.mu.T.cov())
        self.points = self.whiten(model.mu)
        own = KDTree(self.points)
        self.nearest = own.query(self.points, k=2)[0][:, 1]
        self.reach = float(np.quantile(self.nearest, 0.99))
        off_grid = self.whiten(model.codes(heatmaps()["off_grid"]))
        self.tree = KDTree(np.concatenate([self.points, off_grid]))
        self.hull = ConvexHull(self.points)

    def whiten(self, z: Tensor) -> Numbers:
        flat = torch.linalg.solve_triangular(self.root, (z - self.mean).T, upper=False).T
        return np.asarray(flat.double().numpy())

    def colour(self, points: Numbers) -> Tensor:
        return self.mean + torch.from_numpy(points).float() @ self.root.T

    def within(self, n: int, rng: np.random.Generator) -> Numbers:
        """Draw uniformly from the hull."""
        normals, offsets = self.hull.equations[:, :-1], self.hull.equations[:, -1]
        parts: list[Numbers] = []
        while sum(map(len, parts)) < n:
            box = rng.uniform(self.points.min(0), self.points.max(0), (2000, 3))
            parts.append(box[(box @ normals.T + offsets <= 1e-9).all(1)])
        return np.concatenate(parts)[:n]


def emptiness(model: Model, cloud: Cloud, rng: np.random.Generator) -> dict[str, Any]:
    inside = cloud.within(60_000, rng)
    lone = cloud.tree.query(inside)[0] > cloud.reach
    empty = inside[lone][:POINTS]
    median = float(np.median(cloud.nearest))
    corners = cloud.hull.vertices
    scale = model.mu.std(0)
    draws = torch.Generator().manual_seed(0)
    moved = {}
    for name, size in (("little", 0.1), ("more", 0.3)):
        noise = torch.randn(10, len(corners), 3, generator=draws)
        z = model.mu[corners.tolist()] + size * scale * noise
        moved[name] = 1 - model.invalid(z.flatten(0, 1))
    return {
        "cloud": {
            "uneven": math.log(cloud.reach / median),
            "empty": float(lone.mean()),
        },
        "empty": {"points": len(empty), "invalid": model.invalid(cloud.colour(empty))},
        "hull": moved | {"spacing": float(np.median(cloud.nearest[corners])) / median},
    }


def tails(axes: Axes) -> dict[str, float]:
    """Straight through the empty space between the western and the eastern tail."""
    east = axes.points[:, 0]

    def end(side: Tensor) -> Tensor:
        points = axes.points[side >= side.quantile(0.99)]
        return points[points[:, 1] >= points[:, 1].median()].mean(0)

    t = torch.linspace(0, 1, STEPS)[:, None]
    fit = axes.decoded(torch.lerp(end(-east), end(east), t))
    x, y = rank(range(STEPS), fit.var_x), rank(range(STEPS), fit.var_y)
    size = min(abs(x), abs(y))
    return {
        "opposed": size if x * y < 0 else -size,
        "invalid": 1 - fit.valid.double().mean().item(),
    }


def likeness(model: Model, seed: int) -> dict[str, float]:
    """The share of the codes' variance that a similarity of a VAE's explains."""
    return {
        kind: 1 - float(procrustes(model.mu.numpy(), Model(kind, seed).mu.numpy())[2])
        for kind in KINDS[:2]
    }


# --- A row -------------------------------------------------------------------------------------


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure one model; one that has collapsed has no more to tell."""
    model = Model(kind, seed)
    found: dict[str, Any] = {"active_units": model.active, "error": errors(model)}
    if model.active < 3:
        return rounded(found)
    study = ("difference", "sum", "corr")
    turned, trained = (Axes(model, study, turn) for turn in (True, False))
    by_variances = Axes(model, ("var_x", "var_y", "corr"), True)
    tree = KDTree(model.mu.double().numpy())
    for name, axes in (("turned", turned), ("trained", trained)):
        found[name] = {"north_rank": abs(rank(axes.points[:, 2], heatmaps()["corr"]))}
    found["turned"] |= projections(turned)
    lines = walks(turned, trained, tree)
    found |= {
        "arcs": arcs(turned),
        "height": height(turned),
        "sides": sides(turned),
        "strip": strip(turned),
        "planes": {"differences": planes(turned), "variances": planes(by_variances)},
        "kink": kink(model),
        "tails": tails(turned),
    }
    found |= emptiness(model, Cloud(model), np.random.default_rng(seed))
    shares = [
        line["invalid"] for ways in lines.values() for at in ways.values() for line in at.values()
    ]
    lines["invalid_beyond_empty"] = float(np.mean(shares)) - found["empty"]["invalid"]
    found["lines"] = lines
    horizontal = lines["turned"]["mean"]["01"]["ratio_rank"]
    upper = found["planes"]["variances"]["above"]["rank_var_y"]
    found["monotone"] = min(found["strip"]["rank"], horizontal, upper)
    if kind == "ae":
        found["shape"] = likeness(model, seed)
    return rounded(found)


def uses(kind: str, seed: int) -> list[str]:
    return [recipe(k, seed).fingerprint for k in (KINDS if kind == "ae" else (kind,))]


heatmap_claims = Experiment(
    "heatmap_claims",
    row,
    {"kind": KINDS, "seed": SEEDS},
    uses=uses,
    about={"steps": STEPS, "bins": BINS, "neighbours": NEIGHBOURS, "radius": RADIUS, "near": NEAR},
)
