"""Four factors in three latents, over five seeds: errors, and what the codes tell of the class.

    python -m vaebook train "t-heatmap-*" --into WEIGHTS
    python experiments/fourth_factor.py --weights WEIGHTS

Three rules give an image its degrees of freedom: heavy tails to the larger sums of variances (the
book's reading of the study), to the smaller sums (the other reading), or by a coin. The models of
the first and the third are recipes; those of the second are trained here with the same budget, a
minute of one core each, and kept in WEIGHTS. For VAE and AE: Frobenius errors on the test split;
accuracy and F1 of k nearest neighbours in latent space, cross-validated, over all images and over
those where the rule leaves the class open; the same for classifiers that see the variances, all
three factors, or the pixels. Writes fourth_factor.json, which the book's page reads.
"""

import argparse
import json
from dataclasses import replace
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

RULES = ("large", "small", "coin")
KINDS = ("vae-optimal", "ae")
SEEDS = range(5)
NEIGHBOURS = 5
MORE_NEIGHBOURS = (1, 15, 45)
FOLDS = 5
RESULTS = Path(__file__).parents[1] / "vaebook" / "tables" / "fourth_factor.json"


def predictions(
    features: Tensor, labels: Tensor, seed: int, neighbours: int = NEIGHBOURS
) -> NDArray[np.int64]:
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


def trained(rule: str, kind: str, seed: int, images: ImageSet, weights: Path) -> Any:
    """The model of a recipe, or of the other reading with a recipe's budget."""
    if rule != "small":
        suffix = "-coin" if rule == "coin" else ""
        return recipes.load(f"t-heatmap-{kind}{suffix}-s{seed}", weights).model
    recipe = replace(
        recipes.get(f"t-heatmap-{kind}-s{seed}"),
        name=f"t-heatmap-{kind}-small-s{seed}",
        data=images.split(0.8, seed=0),
    )
    if recipes.is_trained(recipe, weights):
        return recipes.load(recipe, weights).model
    return recipes.train(recipe, weights, progress=False).model


def measure(model: Any, images: ImageSet, open_class: Tensor, seed: int) -> dict[str, Any]:
    """Errors of one model, and what its codes tell of the class."""
    assert images.labels is not None
    codes = model.codes(images).mu
    found: dict[str, Any] = dict(
        score(predictions(codes.double(), images.labels, seed), images.labels, open_class)
    )
    _, test = images.split(0.8, seed=0)
    assert test.labels is not None
    held_out = model.codes(test).mu
    guess = predictions(held_out.double(), test.labels, seed)
    errors = (test.images - model.decode(held_out)).flatten(1).norm(dim=1)
    return found | {
        "accuracy_test": round(float((guess == test.labels.numpy()).mean()), 5),
        "frobenius_mean": round(errors.mean().item(), 4),
        "frobenius_median": round(errors.median().item(), 4),
        "active_units": int(bounds.active_units(codes).sum()),
        "mixing": same_class_neighbours(codes, images.labels),
    }


def references(images: ImageSet, open_class: Tensor, seed: int) -> list[dict[str, Any]]:
    """What is read from the variances, from all three factors, and from the pixels."""
    assert images.labels is not None
    f = images.factors
    seen = {
        "variances": torch.stack([f["var_x"], f["var_y"]], 1).double(),
        "factors": torch.stack([f["var_x"], f["var_y"], f["corr"]], 1).double(),
        "pixels": images.images.flatten(1),
    }
    rows = []
    for name, features in seen.items():
        if name == "pixels" and seed > 0:
            continue  # a distance matrix in 1,296 dimensions, and the folds hardly matter
        for k in (NEIGHBOURS,) if name == "pixels" else (NEIGHBOURS, *MORE_NEIGHBOURS):
            guess = predictions(features, images.labels, seed, k)
            found = score(guess, images.labels, open_class)
            rows.append({"seen": name, "seed": seed, "neighbours": k} | found)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--into", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs, seen = [], []
    for rule in RULES:
        images = data(rule)
        total = images.factors["var_x"] + images.factors["var_y"]
        open_class = (total > 20**0.5) & (total < 30**0.5)
        if rule == "coin":
            open_class = torch.ones_like(open_class)
        for seed in SEEDS:
            seen += [{"rule": rule} | row for row in references(images, open_class, seed)]
            for kind in KINDS:
                model = trained(rule, kind, seed, images, options.weights)
                run = {"rule": rule, "kind": kind, "seed": seed}
                runs.append(run | measure(model, images, open_class, seed))
                print(runs[-1], flush=True)
    settings = {
        "neighbours": NEIGHBOURS,
        "folds": FOLDS,
        "images": len(images),
        "torch": torch.__version__,
        "references": seen,
    }
    options.into.write_text(json.dumps(settings | {"runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
