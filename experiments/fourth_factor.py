"""Four factors in three latents, over twelve seeds: what the codes tell of the class, and how.

    make experiment NAME=fourth_factor

Three rules give an image its degrees of freedom: heavy tails to the larger sums of variances, to
the smaller ones, or by a coin. A row is about one of the recipes `t-heatmap-*`, a VAE or an
autoencoder of one rule: Frobenius errors on the test split; accuracy and F1 of six classifiers,
cross-validated, that see the codes alone, the other factors alone, or both, over all images and
over those whose class the other factors leave open; and the shape of the cloud, its border and the
layers of its classes. What decides a claim is described in `vaebook/tables/claims.toml`. Two rows
of each rule are controls without a model: the three principal components of the pixels in place of
codes, and the classes as they are read from the pixels themselves.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, KDTree, procrustes
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.latent import shapes
from vaebook.measures import bounds
from vaebook.tables import Experiment

RULES = ("large", "small", "coin")
MODELS = ("vae-optimal", "ae")
CONTROLS = ("components", "pixels")
SEEDS = range(22, 34)
WEIGHTS = Path("_build/weights")
NEIGHBOURS = (1, 5, 15, 45)
FOLDS = 5
OPEN = (
    46,
    48,
    50,
    52,
    54,
)  # sums of variances, in tenths, for which the rule leaves the class open
OUTERMOST = 0.01  # the share of the codes that is taken off before a border is looked at
BORDERS = {"solid": (0, 1, 2), "01": (0, 1), "02": (0, 2), "12": (1, 2)}

Numbers = NDArray[np.float64]
Labels = NDArray[np.int64]


# --- Data --------------------------------------------------------------------------------------


@cache
def data(rule: str) -> ImageSet:
    """The t heatmaps of a rule; label 1 is always that of the heavy tails."""
    return datasets.t_heatmaps(heavy=rule)  # type: ignore[arg-type]


def factors(*names: str) -> Numbers:
    """The factors that all rules share, their difference and sum included."""
    f = {name: column.double() for name, column in data("large").factors.items()}
    f |= {"difference": f["var_x"] - f["var_y"], "sum": f["var_x"] + f["var_y"]}
    return np.asarray(torch.stack([f[name] for name in names], 1).numpy())


def between() -> NDArray[np.bool_]:
    """Tell of which images the sum of variances lies between the thresholds."""
    return np.isin(np.rint(10 * factors("sum")[:, 0]), OPEN)


def labels_of(rule: str) -> Labels:
    labels = data(rule).labels
    assert labels is not None
    return np.asarray(labels.numpy())


def bayes(rule: str) -> float:
    """The best rate of a classifier that sees the other factors."""
    if rule == "coin":
        return 0.5
    p = np.clip((factors("sum")[:, 0] ** 2 - 20) / 10, 0, 1)
    return float(np.maximum(p, 1 - p).mean())


# --- Classes -----------------------------------------------------------------------------------


def neighbours_say(features: Numbers, labels: Labels, seed: int) -> dict[str, Labels]:
    """The class of the majority of the k nearest of the other folds, for each k."""
    found = {f"knn{k}": np.empty_like(labels) for k in NEIGHBOURS}
    for known, new in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(
        features, labels
    ):
        scale = StandardScaler().fit(features[known])
        search = NearestNeighbors(n_neighbors=max(NEIGHBOURS)).fit(
            scale.transform(features[known])
        )
        nearest = search.kneighbors(scale.transform(features[new]), return_distance=False)
        heavy = labels[known][nearest].cumsum(1)
        for k in NEIGHBOURS:
            found[f"knn{k}"][new] = heavy[:, k - 1] > k / 2
    return found


def all_say(features: Numbers, labels: Labels, seed: int) -> dict[str, Labels]:
    """The class that each image is given by classifiers that have not seen it."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    logistic = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    trees = HistGradientBoostingClassifier(random_state=0)
    return neighbours_say(features, labels, seed) | {
        "logistic": cross_val_predict(logistic, features, labels, cv=folds),
        "trees": cross_val_predict(trees, features, labels, cv=folds),
    }


def score(guesses: dict[str, Labels], labels: Labels, open_class: NDArray[np.bool_]) -> Any:
    """Accuracy and F1 of the heavy tails, over all images and where the class is open."""
    return {
        name: {
            "accuracy": float((guess == labels).mean()),
            "f1": float(f1_score(labels, guess)),
            "accuracy_open": float((guess == labels)[open_class].mean()),
            "f1_open": float(f1_score(labels[open_class], guess[open_class])),
        }
        for name, guess in guesses.items()
    }


def mixing(codes: Numbers, labels: Labels) -> float:
    """The share of codes whose nearest other code has another class, relative to chance."""
    nearest = KDTree(codes).query(codes, k=2)[1][:, 1]
    chance = 2 * labels.mean() * (1 - labels.mean())
    return float((labels != labels[nearest]).mean() / chance)


def read_sum(codes: Numbers) -> float:
    """R squared of the sum of variances as the nearest codes of other folds tell it."""
    total = factors("sum")[:, 0]
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    guess = cross_val_predict(KNeighborsRegressor(15), codes, total, cv=folds)
    return float(1 - ((guess - total) ** 2).sum() / ((total - total.mean()) ** 2).sum())


# --- The border --------------------------------------------------------------------------------


def peeled(points: Numbers) -> Numbers:
    """Take off hulls until the outermost share is gone."""
    left = points
    while len(points) - len(left) < OUTERMOST * len(points):
        left = np.delete(left, ConvexHull(left).vertices, axis=0)
    return left


def least_ellipsoid(points: Numbers, tolerance: float = 1e-3) -> float:
    """The volume of the least ellipsoid around points, to this share (Khachiyan, 1996)."""
    n, d = points.shape
    lifted = np.column_stack([points, np.ones(n)])
    weights = np.full(n, 1 / n)
    while True:
        spread = (lifted.T * weights) @ lifted
        reach = np.einsum("ij,ji->i", lifted, np.linalg.solve(spread, lifted.T))
        farthest = reach.argmax()
        excess = reach[farthest] / (d + 1) - 1
        if excess < tolerance:
            break
        step = excess / (reach[farthest] - 1)
        weights *= 1 - step
        weights[farthest] += step
    centre = weights @ points
    cov = d * ((points.T * weights) @ points - np.outer(centre, centre))
    ball = math.pi ** (d / 2) / math.gamma(d / 2 + 1)
    return float(ball * math.sqrt(np.linalg.det(cov)))


def oval(points: Numbers) -> float:
    """How far a cloud's border is from a cone (0) to an ellipsoid (1); in a plane, a triangle."""
    border = peeled(points)
    hull = ConvexHull(border)
    round_share = hull.volume / least_ellipsoid(border[hull.vertices])
    pointed = 8 / 27 if points.shape[1] == 3 else 3 * math.sqrt(3) / (4 * math.pi)
    return float(1 - math.log(round_share) / math.log(pointed))


# --- The layers --------------------------------------------------------------------------------


def explained(points: Numbers, axis: int) -> tuple[float, float]:
    """R squared of the height along an axis by a quadratic in the others, and by a plane."""
    height, flat = points[:, axis], np.delete(points, axis, axis=1)
    found = []
    for degree in (2, 1):
        design = PolynomialFeatures(degree).fit_transform(flat)
        rest = height - design @ np.linalg.lstsq(design, height, rcond=None)[0]
        found.append(float(1 - rest.var() / height.var()))
    return found[0], found[1]


def gap(points: Numbers, labels: Labels, axis: int) -> float:
    """How far two parallel quadratics lie apart, in standard deviations about them."""
    height, flat = points[:, axis], np.delete(points, axis, axis=1)
    design = np.column_stack([PolynomialFeatures(2).fit_transform(flat), labels])
    fitted = np.linalg.lstsq(design, height, rcond=None)[0]
    return float(abs(fitted[-1]) / (height - design @ fitted).std())


def surfaces(points: Numbers, labels: Labels) -> dict[str, Any]:
    """How much of a two-dimensional figure each class is, and how far the two lie apart."""
    found: dict[str, Any] = {}
    for where, part in (("all", np.ones(len(labels), dtype=bool)), ("open", between())):
        classes = [points[part & (labels == c)] for c in (0, 1)]
        by_axis = [[explained(each, axis) for each in classes] for axis in range(3)]
        axis = int(np.argmax([min(r2 for r2, _ in each) for each in by_axis]))
        (light, light_plane), (heavy, heavy_plane) = by_axis[axis]
        found[where] = {
            "axis": axis,
            "light": light,
            "heavy": heavy,
            "r2": min(light, heavy),
            "bend": min(light - light_plane, heavy - heavy_plane),
        }
    open_points, open_labels = points[between()], labels[between()]
    found["gap"] = gap(open_points, open_labels, found["open"]["axis"])
    return found


# --- A row -------------------------------------------------------------------------------------


def recipe(kind: str, seed: int) -> recipes.Recipe:
    return recipes.get(f"t-heatmap-{kind}-s{seed}")


def gaussian(kind: str, seed: int) -> recipes.Recipe:
    """The same model of Gaussian heatmaps."""
    return recipes.get(f"heatmap-{kind.rpartition('-')[0]}-s{seed}")


def codes_of(of: recipes.Recipe, images: Tensor) -> Tensor:
    return recipes.train(of, WEIGHTS, progress=False).model.codes(images).mu


def components(images: Tensor) -> Tensor:
    """The three principal components of the pixels, which nobody has trained."""
    flat = images.flatten(1).double()
    flat = flat - flat.mean(0)
    return (flat @ torch.linalg.eigh(flat.T @ flat).eigenvectors[:, -3:]).float()


def turned(codes: Tensor) -> Numbers:
    """Codes in axes turned towards difference and sum of the variances and the correlation."""
    target = torch.from_numpy(factors("difference", "sum", "corr")).to(codes)
    return np.asarray(shapes.align(codes, target).forward(codes).double().numpy())


def shape(kind: str, seed: int, codes: Tensor, labels: Labels) -> dict[str, Any]:
    """Border and layers of a cloud, beside that of the Gaussian heatmaps."""
    normal = datasets.heatmaps().images
    learned = not kind.startswith("components")
    normal = codes_of(gaussian(kind, seed), normal) if learned else components(normal)
    points, other = turned(codes), turned(normal)
    return {
        "likeness": 1 - float(procrustes(normal.double().numpy(), codes.double().numpy())[2]),
        "border": {
            name: {"oval": oval(points[:, axes]), "gaussian": oval(other[:, axes])}
            for name, axes in BORDERS.items()
        },
        "surface": surfaces(points, labels),
    }


def errors(model: Any, images: ImageSet) -> dict[str, float]:
    test = images.split(0.8, seed=0)[1].images
    wrong = (test - model.decode(model.codes(test).mu)).flatten(1).norm(dim=1)
    return {"mean": wrong.mean().item(), "median": wrong.median().item()}


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def row(kind: str, seed: int) -> dict[str, Any]:
    """Read the class from what is seen; the seed is that of the model and of the folds."""
    model_kind, _, rule = kind.rpartition("-")
    images, labels = data(rule), labels_of(rule)
    where = np.ones_like(between()) if rule == "coin" else between()
    if model_kind == "pixels":
        pixels = np.asarray(images.images.flatten(1).numpy())
        return rounded({"pixels": score(neighbours_say(pixels, labels, seed), labels, where)})
    found: dict[str, Any] = {}
    if model_kind == "components":
        codes = components(images.images)
    else:
        model = recipes.train(recipe(kind, seed), WEIGHTS, progress=False).model
        codes = model.codes(images).mu
        found["frobenius"] = errors(model, images)
    seen = np.asarray(codes.double().numpy())
    known = factors("var_x", "var_y", "corr")
    found |= {
        "active_units": int(bounds.active_units(codes).sum()),
        "mixing": mixing(seen, labels),
        "sum_r2": read_sum(seen),
        "codes": score(all_say(seen, labels, seed), labels, where),
        "factors": score(all_say(known, labels, seed), labels, where),
        "both": score(all_say(np.hstack([seen, known]), labels, seed), labels, where),
    }
    rates = {name: each["accuracy"] - bayes(rule) for name, each in found["codes"].items()}
    found["to_bayes"] = {"knn5": rates["knn5"], "best": max(rates.values())}
    if found["active_units"] == 3:
        found |= shape(kind, seed, codes, labels)
    return rounded(found)


def uses(kind: str, seed: int) -> list[str]:
    if kind.startswith(CONTROLS):
        return []
    return [of(kind, seed).fingerprint for of in (recipe, gaussian)]


fourth_factor = Experiment(
    "fourth_factor",
    row,
    [
        {"kind": f"{of}-{rule}", "seed": seed}
        for rule in RULES
        for of in (*MODELS, *CONTROLS)
        for seed in (SEEDS[:1] if of in CONTROLS else SEEDS)
    ],
    uses=uses,
    about={
        "neighbours": NEIGHBOURS,
        "folds": FOLDS,
        "bayes": {rule: bayes(rule) for rule in RULES},
        "outermost": OUTERMOST,
    },
)
