"""The layout of the classes elsewhere than in the codes, and Bayes' rule with many codes.

    make experiment NAME=classes

On MNIST and on Fashion-MNIST, a row is about the first 5,000 test images and one of

- the pixels: Bhattacharyya distances between the classes in their first eight principal
  components, as many as the VAEs have latents;
- a classifier, 784-128-64-10, five epochs of Adam at 1e-3, seeds 0 to 4: the same distances in its
  last hidden layer, and its accuracy;
- the codes of a small VAE, seeds 0 to 4: the accuracy of Bayes' rule, with the mixtures of 55,000
  training images and with one Gaussian a class fitted to the same codes. The VAEs are those that
  come with the package, since the page shows these.

The chapter on class mixtures reads the table.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.latent import mixtures
from vaebook.tables import Experiment

SEEDS, EPOCHS, COMPONENTS, KEPT = 5, 5, 8, 5000
SETS = {"mnist": datasets.mnist, "fashion": datasets.fashion_mnist}
SOURCES = {"pixels": [None], "classifier": range(SEEDS), "codes": range(SEEDS)}


@cache
def images(data: str) -> tuple[ImageSet, ImageSet]:
    """Return training and test images."""
    train, _ = SETS[data](train=True).split(11 / 12, seed=0)
    return train, SETS[data](train=False)[:KEPT]


def distances(features: Tensor, labels: Tensor) -> list[list[float]]:
    """Return the Bhattacharyya distances [C, C] in the first principal components."""
    centred = (features - features.mean(0)).double()
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:COMPONENTS]
    _, means, covariances = mixtures.class_moments(centred @ axes.T, None, labels)
    found = mixtures.bhattacharyya(means, covariances)
    return [[round(value, 4) for value in line] for line in found.tolist()]


def classify(train: ImageSet, test: ImageSet, seed: int) -> tuple[Tensor, Tensor]:
    """Return the features [N, 64] of the test images and the classes [N] that are guessed."""
    assert train.labels is not None
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
        return hidden, head(hidden).argmax(1)


def bayes(trained: recipes.Trained, train: ImageSet) -> dict[str, Tensor]:
    """Return the classes [N] that Bayes' rule guesses from the codes of test images."""
    codes, z = trained.model.codes(train), trained.codes.mu[:KEPT]
    assert train.labels is not None
    log_p = mixtures.log_posterior(z, codes.mu, codes.logvar, train.labels)
    _, means, covariances = mixtures.class_moments(codes.mu, codes.logvar, train.labels)
    normal = torch.distributions.MultivariateNormal(means, covariances)
    log_g = normal.log_prob(z[:, None]) + train.labels.bincount().log()
    return {"mixture": log_p.argmax(1), "gaussian": log_g.argmax(1)}


def accuracy(guesses: Tensor, labels: Tensor) -> float:
    return round((guesses == labels).double().mean().item(), 4)


def model_of(data: str, seed: int | None) -> recipes.Trained:
    return recipes.load(f"{data}-small-8d-s{seed}")


def row(data: str, source: str, seed: int | None) -> dict[str, Any]:
    """Measure one layout, or one model's codes."""
    train, test = images(data)
    labels = test.labels
    assert labels is not None
    if source == "pixels":
        return {"distances": distances(test.images.flatten(1), labels)}
    if source == "classifier":
        assert seed is not None
        hidden, guesses = classify(train, test, seed)
        return {"distances": distances(hidden, labels), "accuracy": accuracy(guesses, labels)}
    guessed = bayes(model_of(data, seed), train)
    return {rule: accuracy(guesses, labels) for rule, guesses in guessed.items()}


def weights_used(data: str, source: str, seed: int | None) -> list[str]:
    """Return what decides a row beside this file."""
    return [model_of(data, seed).card["sha256"]] if source == "codes" else []


classes = Experiment(
    "classes",
    row,
    [
        {"data": data, "source": source, "seed": seed}
        for data in SETS
        for source, seeds in SOURCES.items()
        for seed in seeds
    ],
    uses=weights_used,
)
