"""The numbers by which the heatmap study's claims are decided, over twelve fresh seeds.

    make experiment NAME=heatmap_claims

A row is about one of the recipes `heatmap-*-s22` to `heatmap-*-s33`: a VAE with fitted variance,
one with variance 1/2, and an autoencoder; or about a control for which nothing was trained: three
principal components of the pixels, and the cube of the factors, decoded to the true heatmaps. What
its numbers are stands in `vaebook/tables/claims.toml`.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.interpolate import PchipInterpolator
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree, procrustes
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.latent import shapes
from vaebook.measures import bounds
from vaebook.measures.heatmaps import HeatmapFit, fit_heatmaps
from vaebook.tables import Experiment, rounded

KINDS = ("vae-optimal", "vae-half", "ae")
CONTROLS = ("pca", "cube")
SEEDS = range(22, 34)
WEIGHTS = Path("_build/weights")
STEPS = 49
BINS = 6
NEIGHBOURS = 15
RADIUS = 1.2  # of an arc, in standard deviations of the codes
FEWEST = 10  # heatmaps on a path, for a rank
LONG = 1.5  # long over short axis of an ellipse that has a direction
LONG_MOMENTS = 1.25  # the same of moments within the frame, which cuts the long axis
FAR = 0.3  # from all codes of unit covariance: two spacings of as many in a cube
NEAR = 0.1  # the share of the codes nearest to a bounding plane
POINTS = 1000  # in empty places
LEVELS = (0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 4.9)  # both variances of a line along the correlation
LOW, HIGH = torch.tensor([0.1, 0.1, -0.95]), torch.tensor([4.9, 4.9, 0.85])  # of the grid

Numbers = NDArray[np.float64]
Empty = Callable[[Tensor], Tensor]


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


def above(a: Numbers, b: Numbers) -> float:
    """How often a number of the first is larger than one of the second."""
    return float(stats.mannwhitneyu(a, b).statistic) / (len(a) * len(b))


def rank_of(ok: Tensor, a: Any, b: Tensor) -> float:
    """The rank correlation over the heatmaps of a path; 0 when there are too few."""
    if int(ok.sum()) < FEWEST:
        return 0.0
    return rank(torch.as_tensor(a)[ok], b[ok])


def ellipse(xx: Tensor, xy: Tensor, yy: Tensor) -> tuple[Tensor, Tensor]:
    """Twice the angle of the long axis, in radians, and the long over the short axis."""
    root = ((xx - yy) ** 2 + 4 * xy**2).sqrt()
    sharp = ((xx + yy + root) / (xx + yy - root).clamp(min=1e-9)).sqrt()
    return torch.atan2(2 * xy, xx - yy), sharp


def shape_of(fit: HeatmapFit) -> tuple[Tensor, Tensor]:
    return ellipse(fit.var_x, fit.corr * (fit.var_x * fit.var_y).sqrt(), fit.var_y)


def moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Second moments of images about their middle, of heatmaps or not."""
    weight = images[:, 0].double().clamp(min=0)
    axis = torch.linspace(-3, 3, weight.shape[-1], dtype=torch.float64)
    total = weight.sum((1, 2)).clamp(min=1e-9)
    xx = (weight * axis**2).sum((1, 2)) / total
    yy = (weight * axis[:, None] ** 2).sum((1, 2)) / total
    return xx, (weight * axis[:, None] * axis).sum((1, 2)) / total, yy


def direction(twice: Tensor) -> Tensor:
    """The angle of the long axis along a path, in degrees, without jumps of 180."""
    steps = torch.remainder(twice.diff() + math.pi, 2 * math.pi) - math.pi
    return torch.cat([twice[:1], twice[:1] + steps.cumsum(0)]) * 90 / math.pi


def turning(twice: Tensor, long: Tensor) -> Tensor:
    """The angle turned through so far, in degrees, counted while the ellipse is long.

    An ellipse that becomes a circle and then a long one has another direction without a turn.
    """
    steps = torch.remainder(twice.diff() + math.pi, 2 * math.pi) - math.pi
    steps = steps * (long[1:] & long[:-1])
    return torch.cat([steps.new_zeros(1), steps.cumsum(0)]) * 90 / math.pi


def most(values: Tensor) -> float:
    return values.max().item() if len(values) else 0.0


def spread(values: Tensor) -> float:
    return (values.max() - values.min()).item() if len(values) else 0.0


class Learned:
    """A trained model with its codes of all heatmaps."""

    def __init__(self, kind: str, seed: int) -> None:
        self.model = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model
        self.mu = self.codes(heatmaps()["all"])

    def decode(self, z: Tensor) -> Tensor:
        return torch.cat([self.model.decode(part) for part in z.split(1000)])

    def codes(self, images: Tensor) -> Tensor:
        return self.model.codes(images).mu


class Components:
    """Three principal components of the pixels, brought to unit variance."""

    def __init__(self) -> None:
        self.pca = PCA(3, whiten=True, random_state=0).fit(heatmaps()["train"].flatten(1))
        self.mu = self.codes(heatmaps()["all"])

    def decode(self, z: Tensor) -> Tensor:
        flat = torch.from_numpy(self.pca.inverse_transform(z.numpy())).float()
        return flat.unflatten(1, (1, 36, 36))

    def codes(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self.pca.transform(images.flatten(1).numpy())).float()


class Cube:
    """The factors themselves, brought to unit variance, and the heatmaps that belong to them."""

    def __init__(self) -> None:
        f = factors("var_x", "var_y", "corr")
        self.mean, self.scale = f.mean(0), f.std(0)
        self.mu = (f - self.mean) / self.scale

    def decode(self, z: Tensor) -> Tensor:
        var_x, var_y, corr = (self.mean + self.scale * z).T
        least = 0.02
        return datasets.heatmap_images(
            var_x.clamp(min=least), var_y.clamp(min=least), corr.clamp(-0.99, 0.99)
        )

    def codes(self, images: Tensor) -> Tensor:
        fit = fit_heatmaps(images)
        return (torch.stack([fit.var_x, fit.var_y, fit.corr], 1) - self.mean) / self.scale


Model = Learned | Components | Cube


def invalid(model: Model, z: Tensor) -> float:
    return 1 - fit_heatmaps(model.decode(z)).valid.double().mean().item()


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

    def images(self, points: Tensor) -> Tensor:
        return self.model.decode(self.alignment.back(points))

    def decoded(self, points: Tensor) -> HeatmapFit:
        return fit_heatmaps(self.images(points))


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


def walk(axes: Axes, points: Tensor, tree: KDTree, far: Empty) -> dict[str, Any]:
    """Decode a path, fit the factors back, and say what they do."""
    images = axes.images(points)
    fit = fit_heatmaps(images)
    ok = fit.valid
    ratio = (fit.var_x / fit.var_y).log()
    codes = axes.alignment.back(points)
    steps = ratio.diff().abs()[ok[1:] & ok[:-1]]
    whole = spread(ratio[ok])
    twice, sharp = shape_of(fit)
    twice_moments, sharp_moments = ellipse(*moments(images))
    empty = far(codes)
    return {
        "corr_range": spread(fit.corr[ok]),
        "direction": spread(direction(twice[ok])),
        "turn": spread(turning(twice, ok & (sharp >= LONG))),
        "moments": {
            "direction": spread(direction(twice_moments)),
            "turn": spread(turning(twice_moments, sharp_moments >= LONG_MOMENTS)),
        },
        "ratio_rank": abs(rank_of(ok, range(STEPS), ratio)),
        "ratio_reach": math.exp(max(0.0, min(most(ratio[ok]), most(-ratio[ok])))),
        "largest_step": most(steps) / whole if whole > 0 else 1.0,
        "invalid": 1 - ok.double().mean().item(),
        "empty": empty.double().mean().item(),
        "invalid_empty": 1 - ok[empty].double().mean().item() if empty.any() else 0.0,
        "lonely": rank(tree.query(codes.double().numpy())[0], fit.relative),
    }


def walks(turned: Axes, trained: Axes, tree: KDTree, far: Empty) -> dict[str, Any]:
    found: dict[str, Any] = {"turned": {}, "trained": {}}
    for name, where, axes, through in (
        ("turned", "mean", turned, turned.mean),
        ("turned", "origin", turned, turned.origin),
        ("trained", "origin", trained, trained.origin),
    ):
        lines = {"02": (1.0, 0.0, 1.0), "01": (1.0, 0.0, 0.0)}
        found[name][where] = {
            plane: walk(axes, axes.line(way, through, 0.01), tree, far)
            for plane, way in lines.items()
        }
    return found


def arcs(axes: Axes) -> dict[str, Any]:
    found = {}
    theta = torch.linspace(0, math.pi, STEPS)
    for name, centre in (("mean", axes.mean), ("origin", axes.origin)):
        points = centre.repeat(STEPS, 1)
        points[:, 0] += RADIUS * axes.scale[0] * theta.cos()
        points[:, 2] += RADIUS * axes.scale[2] * theta.sin()
        fit = axes.decoded(points)
        twice, sharp = shape_of(fit)
        long = fit.valid & (sharp >= LONG)
        turned = turning(twice, long)
        found[name] = {"rank": abs(rank_of(long, theta, turned)), "turn": spread(turned)}
    return found


def height(axes: Axes) -> dict[str, float]:
    fit = axes.decoded(axes.line((0.0, 0.0, 1.0), axes.mean, 0.0))
    return {
        "rank": abs(rank_of(fit.valid, range(STEPS), fit.corr)),
        "corr_range": spread(fit.corr[fit.valid]),
        "invalid": 1 - fit.valid.double().mean().item(),
    }


def sides(axes: Axes) -> dict[str, float]:
    east, difference = axes.points[:, 0], heatmaps()["difference"]
    size = difference.abs()
    depth = shapes.convex_hull(axes.points).depth(axes.points)
    low, high = size.quantile(torch.tensor([0.1, 0.9]))
    return {
        "rank": abs(rank(east, difference)),
        "middle_rank": rank((east - east.median()).abs(), size),
        "exterior": above(depth[size <= low].numpy(), depth[size >= high].numpy()),
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
    fit = axes.decoded(path)
    corr = fit.corr[fit.valid]
    off = KDTree(path.numpy()).query(points.numpy())[0]
    length = path.diff(dim=0).norm(dim=1).sum().item()
    return {
        "rank": abs(rank_of(fit.valid, range(STEPS), fit.corr)),
        "reach": max(0.0, min(most(corr), most(-corr))),
        "invalid": 1 - fit.valid.double().mean().item(),
        "thickness": float(np.sqrt((off**2).mean())) / length,
    }


def planes(axes: Axes) -> dict[str, dict[str, float]]:
    """Along the planes that bound the north over the back, at a constant first coordinate."""
    found = {}
    for side, above in (("above", True), ("below", False)):
        gap = shapes.bounding_plane(axes.points, 2, (1,), above).gap(axes.points)
        near = axes.points[gap <= gap.quantile(NEAR)]
        east = (near[:, 0] - axes.points[:, 0].median()).abs()
        path = curve(near[east <= east.median()], 1)
        fit = axes.decoded(path)
        ok = fit.valid
        sharp = shape_of(fit)[1]
        if not ok.any():
            continue
        x = fit.var_x[ok]
        found[side] = {
            "corr_range": spread(fit.corr[ok]),
            "corr_min": fit.corr[ok].min().item(),
            "corr_max": most(fit.corr[ok]),
            "ratio_var_x": (x.max() / x.min()).item(),
            "rank_var_y": abs(rank_of(ok, range(STEPS), fit.var_y)),
            "rank_height": rank_of(ok, path[:, 2], fit.var_y),
            "roundest": sharp[ok].min().item(),
            "sharpening": (sharp[ok].max() / sharp[ok].min()).item(),
            "invalid": 1 - ok.double().mean().item(),
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

    turns_at = {level: turn(path) for level, path in zip(LEVELS, lines, strict=True)}
    return {
        "sharpest": (within / turns.sum()).item(),
        "speed": (speed[-1] / speed[:-1].max()).item(),
        "turns": {f"{level:g}": angle for level, angle in turns_at.items()},
        "turn_change": turns_at[1.0] - turns_at[0.3],
        "turn_change_wide": turns_at[4.9] - turns_at[0.5],
    }


# --- Against an autoencoder --------------------------------------------------------------------


def errors(model: Learned) -> dict[str, Any]:
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
            alone = known.query(codes.mu.double().numpy())[0]
            bad = (wrong >= wrong.quantile(0.99)).numpy()
            found["lonely"] = rank(alone, wrong)
            found["lonely_worst"] = above(alone[bad], alone[~bad])
    return found


def inside(cloud: shapes.Cloud, n: int, rng: np.random.Generator) -> Tensor:
    """Draw points uniformly from the hull of a cloud."""
    low, high = cloud.points.numpy().min(0), cloud.points.numpy().max(0)
    parts: list[Tensor] = []
    while sum(map(len, parts)) < n:
        box = torch.from_numpy(rng.uniform(low, high, (2000, 3)))
        parts.append(box[cloud.hull.depth(box) >= 0])
    return torch.cat(parts)[:n]


def emptiness(model: Model, cloud: shapes.Cloud, rng: np.random.Generator) -> dict[str, Any]:
    """Measure what of the hull is far from all codes, of the grid and of heatmaps off it."""
    points = inside(cloud, 60_000, rng)
    lone = cloud.distance(points) > FAR
    places = points[lone][:POINTS]
    spacing = cloud.spacing().numpy()
    median = float(np.median(spacing))
    corners = shapes.convex_hull(cloud.points).vertices
    at = model.mu[corners]
    draws = torch.Generator().manual_seed(0)
    still = invalid(model, at)
    moved = {}
    for name, size in (("little", 0.1), ("more", 0.3)):
        noise = torch.randn(10, len(corners), 3, generator=draws)
        z = at + size * model.mu.std(0) * noise
        moved[name] = still - invalid(model, z.flatten(0, 1))
    found: dict[str, Any] = {"points": len(places)}
    if len(places) >= FEWEST:
        found["invalid"] = invalid(model, cloud.back(places))
    return {
        "cloud": {
            "uneven": math.log(float(np.quantile(spacing, 0.99)) / median),
            "empty": lone.double().mean().item(),
        },
        "empty": found,
        "hull": moved
        | {"still": 1 - still, "spacing": float(np.median(spacing[corners.numpy()])) / median},
    }


def tails(axes: Axes, far: Empty) -> dict[str, float]:
    """Straight through the empty space between the western and the eastern tail."""
    east = axes.points[:, 0]

    def end(side: Tensor) -> Tensor:
        points = axes.points[side >= side.quantile(0.99)]
        return points[points[:, 1] >= points[:, 1].median()].mean(0)

    t = torch.linspace(0, 1, STEPS)[:, None]
    path = torch.lerp(end(-east), end(east), t)
    images = axes.images(path)
    xx, _, yy = moments(images)
    x, y = rank(range(STEPS), xx), rank(range(STEPS), yy)
    size = min(abs(x), abs(y))
    return {
        "opposed": size if x * y < 0 else -size,
        "invalid": 1 - fit_heatmaps(images).valid.double().mean().item(),
        "empty": far(axes.alignment.back(path)).double().mean().item(),
    }


def explained(a: Tensor, b: Tensor) -> float:
    """The share of the variance of codes that a similarity of others explains."""
    return 1 - float(procrustes(a.numpy(), b.numpy())[2])


def likeness(seed: int) -> dict[str, dict[str, float]]:
    """How well a VAE's codes are explained by the autoencoder's, and by another VAE's."""
    found = {}
    other = SEEDS[(SEEDS.index(seed) + 1) % len(SEEDS)]
    own = Learned("ae", seed).mu
    for kind in KINDS[:2]:
        vae, again = Learned(kind, seed).mu, Learned(kind, other).mu
        like, alike = explained(vae, own), explained(vae, again)
        found[kind] = {"like": like, "alike": alike, "deficit": like - alike}
    return found


# --- A row -------------------------------------------------------------------------------------


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"heatmap-{kind}-s{seed}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Measure one model; one that has collapsed has no more to tell."""
    model: Model
    found: dict[str, Any] = {}
    if kind in CONTROLS:
        model = Components() if kind == "pca" else Cube()
    else:
        model = Learned(kind, seed)
        active = int(bounds.active_units(model.mu).sum())
        found = {"active_units": active, "error": errors(model)}
        if active < 3:
            return rounded(found)
    study = ("difference", "sum", "corr")
    turned, trained = (Axes(model, study, turn) for turn in (True, False))
    by_variances = Axes(model, ("var_x", "var_y", "corr"), True)
    cloud = shapes.whiten(model.mu, model.codes(heatmaps()["off_grid"]))
    tree = KDTree(model.mu.double().numpy())

    def far(z: Tensor) -> Tensor:
        return cloud.distance(cloud.forward(z)) > FAR

    lines = walks(turned, trained, tree, far)
    for name, axes in (("turned", turned), ("trained", trained)):
        north = abs(rank(axes.points[:, 2], heatmaps()["corr"]))
        found[name] = {"north_rank": north} | projections(axes) | sides(axes)
    found |= {
        "arcs": arcs(turned),
        "height": height(turned),
        "strip": strip(turned),
        "planes": planes(by_variances),
        "kink": kink(model),
        "tails": tails(turned, far),
    }
    found |= emptiness(model, cloud, np.random.default_rng(seed))
    walked = [line for ways in lines.values() for at in ways.values() for line in at.values()]
    share = float(np.mean([line["invalid"] for line in walked]))
    lines["beyond"] = {"tails": share - found["tails"]["invalid"]}
    if "invalid" in found["empty"]:
        in_empty = [line["invalid_empty"] for line in walked if line["empty"] > 0]
        lines["beyond"]["hull"] = share - found["empty"]["invalid"]
        if in_empty:
            lines["beyond"]["alike"] = float(np.mean(in_empty)) - found["empty"]["invalid"]
    found["lines"] = lines
    horizontal = lines["turned"]["mean"]["01"]["ratio_rank"]
    upper = found["planes"].get("above", {}).get("rank_var_y", 0.0)
    found["monotone"] = min(found["strip"]["rank"], horizontal, upper)
    if kind == "ae":
        found["shape"] = likeness(seed)
    return rounded(found)


def uses(kind: str, seed: int) -> list[str]:
    if kind in CONTROLS:
        return []
    wanted = [(kind, seed)]
    if kind == "ae":  # which is compared with VAEs of its seed and of the next
        other = SEEDS[(SEEDS.index(seed) + 1) % len(SEEDS)]
        wanted += [(k, s) for k in KINDS[:2] for s in (seed, other)]
    return [recipe(k, s).fingerprint for k, s in wanted]


heatmap_claims = Experiment(
    "heatmap_claims",
    row,
    [
        *({"kind": kind, "seed": seed} for kind in KINDS for seed in SEEDS),
        *({"kind": kind, "seed": 0} for kind in CONTROLS),
    ],
    uses=uses,
    about={
        "steps": STEPS,
        "bins": BINS,
        "neighbours": NEIGHBOURS,
        "radius": RADIUS,
        "near": NEAR,
        "far": FAR,
    },
)
