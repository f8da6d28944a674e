"""What the chapter on class mixtures needs images for: the layout of the classes elsewhere.

    VAEBOOK_DATA=... OMP_NUM_THREADS=1 python experiments/classes.py

On MNIST and on Fashion-MNIST it measures, with the first 5,000 test images,

- the Bhattacharyya distances between the classes in the last hidden layer of five classifiers
  (784-128-64-10, five epochs of Adam at 1e-3, seeds 0 to 4) and in the pixels, both reduced to
  their first eight principal components, as many as the VAEs have latents;
- the accuracy of Bayes' rule on the codes of the five small VAEs, with the mixtures of 55,000
  training images and with one Gaussian a class fitted to the same codes,

and writes vaebook/tables/classes.json.
"""

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.latent import mixtures

RESULTS = Path(__file__).parents[1] / "vaebook" / "tables" / "classes.json"
SEEDS, EPOCHS, COMPONENTS, KEPT = 5, 5, 8, 5000
SETS = {"mnist": datasets.mnist, "fashion": datasets.fashion_mnist}


def distances(features: Tensor, labels: Tensor) -> Tensor:
    """Bhattacharyya distances [C,C] of the classes in the first principal components."""
    centred = (features - features.mean(0)).double()
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:COMPONENTS]
    scores = centred @ axes.T
    _, means, covariances = mixtures.class_moments(scores, None, labels)
    return mixtures.bhattacharyya(means, covariances)


def classifier(train: ImageSet, test: ImageSet, seed: int) -> tuple[Tensor, float]:
    """The features of the test images [N,64] and the accuracy on them."""
    assert train.labels is not None
    assert test.labels is not None
    torch.manual_seed(seed)
    features = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()
    )
    head = nn.Linear(64, 10)
    weights = [*features.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=1e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(train)).split(128):
            loss = F.cross_entropy(head(features(train.images[rows])), train.labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        hidden = features(test.images)
        right = head(hidden).argmax(1) == test.labels
    return hidden, right.double().mean().item()


def bayes(name: str, train: ImageSet) -> dict[str, float]:
    """Accuracy of Bayes' rule on the shipped codes of a recipe, from codes of training images."""
    trained = recipes.load(name)
    codes, kept = trained.model.codes(train), trained.codes[:KEPT]
    mu, logvar, z, labels = codes.mu, codes.logvar, kept.mu, kept.labels
    assert train.labels is not None
    assert labels is not None
    log_p = mixtures.log_posterior(z, mu, logvar, train.labels)
    _, means, covariances = mixtures.class_moments(mu, logvar, train.labels)
    normal = torch.distributions.MultivariateNormal(means, covariances)
    shares = train.labels.bincount().log()
    log_g = normal.log_prob(z[:, None]) + shares
    guesses = {"mixture": log_p.argmax(1), "gaussian": log_g.argmax(1)}
    return {k: round((g == labels).double().mean().item(), 4) for k, g in guesses.items()}


def rounded(matrix: Tensor) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in matrix.tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=RESULTS)
    into = parser.parse_args().into
    results: dict[str, Any] = {
        "images": KEPT,
        "components": COMPONENTS,
        "epochs": EPOCHS,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }
    for short, load in SETS.items():
        train, test = load(train=True), load(train=False)[:KEPT]
        assert test.labels is not None
        train, _ = train.split(11 / 12, seed=0)
        found: dict[str, Any] = {
            "pixels": rounded(distances(test.images.flatten(1), test.labels)),
            "classifiers": [],
            "accuracies": [],
            "bayes": [],
        }
        for seed in range(SEEDS):
            hidden, accuracy = classifier(train, test, seed)
            found["classifiers"].append(rounded(distances(hidden, test.labels)))
            found["accuracies"].append(round(accuracy, 4))
            found["bayes"].append(bayes(f"{short}-small-8d-s{seed}", train))
            print(short, seed, accuracy, found["bayes"][-1], flush=True)
        results[short] = found
    into.write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
