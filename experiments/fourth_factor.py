"""Four factors in three latents, over five seeds: errors, and what the codes tell of the class.

    make experiment NAME=fourth_factor

Three rules give an image its degrees of freedom: heavy tails to the larger sums of variances (the
book's reading of the study), to the smaller sums (the other reading), or by a coin. A row is about
what a classifier sees of the images of a rule: the codes of a VAE or of an autoencoder (the
`t-heatmap-*` recipes, and the same for the other reading), the variances, all three factors, or
the pixels. It has accuracy and F1 of k nearest neighbours, cross-validated, over all images and
over those where the rule leaves the class open; and of models, Frobenius errors on the test split
beside. The chapter on a fourth factor reads it.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")
RULES = ("large", "small", "coin")
KINDS = ("vae-optimal", "ae")
NEIGHBOURS = 5
MORE_NEIGHBOURS = (NEIGHBOURS, 1, 15, 45)
FOLDS = 5


@cache
def data(rule: str) -> ImageSet:
    """The t heatmaps of a rule; label 1 is always that of the heavy tails."""
    if rule != "small":
        return datasets.t_heatmaps(independent=rule == "coin")
    large = datasets.t_heatmaps()
    assert large.labels is not None
    f, labels = dict(large.factors), 1 - large.labels
    f["df"] = torch.where(labels == 1, 2.0, 200.0)
    images = datasets.t_heatmap_images(f["var_x"], f["var_y"], f["corr"], f["df"])
    return ImageSet(images, labels, f, large.names, "t heatmaps, heavy tails to small sums")


def is_open(rule: str) -> Tensor:
    """Tell of which images the rule leaves the class open."""
    f = data(rule).factors
    total = f["var_x"] + f["var_y"]
    if rule == "coin":
        return torch.ones_like(total, dtype=torch.bool)
    return (total > 20**0.5) & (total < 30**0.5)


@cache
def recipe(rule: str, kind: str, seed: int) -> recipes.Recipe:
    """The book's recipe, or the same for the other reading."""
    if rule != "small":
        suffix = "-coin" if rule == "coin" else ""
        return recipes.get(f"t-heatmap-{kind}{suffix}-s{seed}")
    return replace(
        recipes.get(f"t-heatmap-{kind}-s{seed}"),
        name=f"t-heatmap-{kind}-small-s{seed}",
        data=data("small").split(0.8, seed=0),
    )


def predictions(features: Tensor, labels: Tensor, seed: int, neighbours: int) -> NDArray[np.int64]:
    """The class that each image is given by a classifier that has not seen it."""
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(neighbours))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return cross_val_predict(model, features.numpy(), labels.numpy(), cv=folds)


def score(guess: NDArray[np.int64], labels: Tensor, open_class: Tensor) -> dict[str, float]:
    """Accuracy and F1 of the heavy tails, over all images and where the class is open."""
    truth, part = labels.numpy(), open_class.numpy()
    return {
        "accuracy": round(float((guess == truth).mean()), 5),
        "f1": round(float(f1_score(truth, guess)), 5),
        "accuracy_open": round(float((guess[part] == truth[part]).mean()), 5),
        "f1_open": round(float(f1_score(truth[part], guess[part])), 5),
    }


def same_class_neighbours(codes: Tensor, labels: Tensor) -> float:
    """The share of codes whose nearest other code has another class, relative to chance."""
    nearest = torch.cat(
        [
            torch.cdist(part, codes).topk(2, largest=False).indices[:, 1]
            for part in codes.split(500)
        ]
    )
    chance = 2 * labels.float().mean() * (1 - labels.float().mean())
    return round(((labels != labels[nearest]).float().mean() / chance).item(), 4)


def measure(model: Any, codes: Tensor, images: ImageSet, seed: int) -> dict[str, Any]:
    """What is said of a model beside the classes that are read from its codes."""
    assert images.labels is not None
    _, test = images.split(0.8, seed=0)
    assert test.labels is not None
    held_out = model.codes(test).mu
    guess = predictions(held_out.double(), test.labels, seed, NEIGHBOURS)
    errors = (test.images - model.decode(held_out)).flatten(1).norm(dim=1)
    return {
        "accuracy_test": round(float((guess == test.labels.numpy()).mean()), 5),
        "frobenius_mean": round(errors.mean().item(), 4),
        "frobenius_median": round(errors.median().item(), 4),
        "active_units": int(bounds.active_units(codes).sum()),
        "mixing": same_class_neighbours(codes, images.labels),
    }


def row(rule: str, seen: str, neighbours: int, seed: int) -> dict[str, Any]:
    """Read the class from what is seen; the seed is that of the model and of the folds."""
    images = data(rule)
    assert images.labels is not None
    f = images.factors
    more = {}
    if seen in KINDS:
        model = recipes.train(recipe(rule, seen, seed), WEIGHTS, progress=False).model
        codes = model.codes(images).mu
        features = codes.double()
        more = measure(model, codes, images, seed)
    elif seen == "pixels":
        features = images.images.flatten(1)
    else:
        names = ("var_x", "var_y", "corr")[: 2 if seen == "variances" else 3]
        features = torch.stack([f[name] for name in names], 1).double()
    guess = predictions(features, images.labels, seed, neighbours)
    return score(guess, images.labels, is_open(rule)) | more


def uses(rule: str, seen: str, neighbours: int, seed: int) -> list[str]:
    return [recipe(rule, seen, seed).fingerprint] if seen in KINDS else []


fourth_factor = Experiment(
    "fourth_factor",
    row,
    [
        {"rule": rule, "seen": seen, "neighbours": k, "seed": seed}
        for rule in RULES
        for seen in (*KINDS, "variances", "factors", "pixels")
        for k in (MORE_NEIGHBOURS if seen in ("variances", "factors") else (NEIGHBOURS,))
        # A distance matrix in 1,296 dimensions, and the folds hardly matter.
        for seed in range(1 if seen == "pixels" else 5)
    ],
    uses=uses,
    about={"neighbours": NEIGHBOURS, "folds": FOLDS},
)
