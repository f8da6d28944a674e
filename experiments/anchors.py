"""The anchored models over five seeds, and how a VAE of digits scores clothes.

    make experiment NAME=anchors

A row is about one of the `anchor-*` recipes: how its codes go along with the score and where the
classes lie, which digits a classifier sees in what it draws from two priors, and what the data
costs under each. Two rows more are about plain VAEs of MNIST, which are asked how untypical each
of some digits and of some images of Fashion-MNIST is; and one about the classifier, with what it
and the score see in the test images. The chapter on anchors reads it.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets, objectives, recipes
from vaebook.datasets import ImageSet
from vaebook.latent import paths
from vaebook.measures import bounds
from vaebook.models import VAE, Classifier
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")
CLASSIFIER = "mnist-classifier"
PLAIN = ("mnist-mlp-2d", "mnist-mlp-20d")
N_SAMPLES, N_GRID, N_IMAGES = 5000, 30, 1000


@cache
def digits() -> tuple[ImageSet, ImageSet]:
    """The training images, shuffled, and the test images."""
    train, test = datasets.mnist(train=True), datasets.mnist(train=False)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    return train[order], test


@cache
def scores(by: str) -> tuple[Tensor, Tensor]:
    """The score of each training and test image, by "drawn" templates or by "means" of classes."""
    train, test = digits()
    if by == "drawn":
        templates = (datasets.donut(), datasets.stick())
    else:
        zero, one = (train.images[train.labels == digit].mean((0, 1)) for digit in (0, 1))
        templates = (zero, one)
    return (
        datasets.donutness(train.images, *templates),
        datasets.donutness(test.images, *templates),
    )


@cache
def classifier() -> Classifier:
    model: Classifier = recipes.train(CLASSIFIER, WEIGHTS, progress=False).model
    return model


def rounded(values: Tensor, digits: int = 4) -> Any:
    """Return a tensor as nested lists of short numbers."""
    if values.ndim > 1:
        return [rounded(row, digits) for row in values]
    return [round(value, digits) for value in values.tolist()]


def correlation(a: Tensor, b: Tensor) -> float:
    return round(torch.corrcoef(torch.stack([a, b]))[0, 1].item(), 4)


def shares(images: Tensor) -> list[float]:
    """How often the classifier sees each class."""
    seen = torch.cat([classifier()(part).argmax(1) for part in images.split(1000)])
    return rounded(torch.bincount(seen, minlength=10) / len(seen))


def unsure(images: Tensor) -> float:
    """The share of images of which the classifier is less than 90 % sure."""
    top = torch.cat([classifier()(part).softmax(1).amax(1) for part in images.split(1000)])
    return round((top < 0.9).double().mean().item(), 4)


def log_mixture(z: Tensor, centres: Tensor) -> Tensor:
    """Log density of the mean of N(centre, I), [M], in blocks."""
    parts = [
        torch.logsumexp(-0.5 * torch.cdist(block, centres).square(), dim=1)
        for block in z.split(2000)
    ]
    constant = z.shape[1] / 2 * torch.log(torch.tensor(2 * torch.pi))
    return torch.cat(parts) - torch.log(torch.tensor(float(len(centres)))) - constant


def log_p(model: VAE, images: Tensor, centres: Tensor) -> float:
    """Mean log p(x) under the mixture prior, by a grid over the plane."""
    axis = torch.linspace(-9, 9, 181)
    grid = torch.cartesian_prod(axis, axis)
    log_prior = log_mixture(grid, centres) + 2 * torch.log(axis[1] - axis[0])
    total = torch.full((len(images),), -torch.inf)
    for z, weight in zip(grid.split(4000), log_prior.split(4000), strict=True):
        pairs = model.likelihood.log_prob_pairs(model.decoder(z), images) + weight
        total = torch.logaddexp(total, pairs.logsumexp(1))
    return round(total.mean().item(), 3)


def anchored(name: str) -> dict[str, Any]:
    """Measure one anchored or conditional model."""
    tags, trained = recipes.get(name).tags, recipes.train(name, WEIGHTS, progress=False)
    conditional, by = "conditional" in tags, tags.get("score", "drawn")
    rate, model, (_, test) = tags.get("rate", 0.0), trained.model, digits()
    assert test.labels is not None
    codes = model.codes(test)
    mu, logvar = codes.mu, codes.logvar
    z = codes.sample(torch.Generator().manual_seed(0))
    score_train, score = scores(by)
    slope = torch.linalg.lstsq(mu - mu.mean(0), (score - score.mean())[:, None]).solution
    result: dict[str, Any] = {
        "kind": "conditional" if conditional else "means" if by == "means" else "anchored",
        "rate": rate,
        "seed": tags["seed"],
        "correlations": [correlation(mu[:, j], score) for j in range(2)],
        "correlation_of_sum": correlation(mu.sum(1), score),
        "best_correlation": abs(correlation((mu @ slope)[:, 0], score)),
        "class_means": rounded(torch.stack([mu[test.labels == c].mean(0) for c in range(10)])),
        "aggregate_mean": rounded(z.mean(0)),
        "aggregate_covariance": rounded(torch.cov(z.T)),
        "error": trained.card["metrics"]["frobenius_pixels"],
    }
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(N_SAMPLES, 2, generator=generator)
    nearest = torch.cdist(mu, mu)[:2000].topk(11, largest=False).indices[:, 1:]
    votes = test.labels[nearest].mode(1).values
    result["knn_accuracy"] = round((votes == test.labels[:2000]).double().mean().item(), 4)
    if conditional:
        asked = torch.arange(N_SAMPLES) % 10
        images = model.decode(noise, asked)
        obeyed = (classifier()(images).argmax(1) == asked).double().mean().item()
        terms = trained.card["metrics"]
        return result | {"obeyed": round(obeyed, 4), "elbo": terms["elbo"]["nats"]}
    centres = -rate * score_train[:, None].expand(-1, 2)
    picked = torch.randint(len(centres), (N_SAMPLES,), generator=generator)
    grid = paths.quantile_grid(N_GRID).reshape(-1, 2)
    images = datasets.binarize(test.images, torch.Generator().manual_seed(0))
    bound = bounds.elbo(model, images, 5, torch.Generator().manual_seed(0))
    log_q = (-0.5 * ((z - mu).square() / logvar.exp() + logvar)).sum(1) - torch.log(
        torch.tensor(2 * torch.pi)
    )
    kl_mixture = (log_q - log_mixture(z, centres[:2000])).mean().item()
    distortion = -bound.log_prob.mean().item()
    # The bound's own KL is that from the anchored prior.
    binary = model.codes(images)
    kl_standard = objectives.kl_divergence(binary.mu, binary.logvar).mean().item()
    kl_anchored = model.prior.kl(mu, logvar, score).mean().item()
    return result | {
        "shares_standard": shares(model.decode(noise)),
        "shares_mixture": shares(model.decode(noise + centres[picked])),
        "shares_grid": shares(model.decode(grid)),
        "unsure_standard": unsure(model.decode(noise)),
        "unsure_mixture": unsure(model.decode(noise + centres[picked])),
        "reconstruction": round(distortion, 3),
        "kl_standard": round(kl_standard, 3),
        "kl_anchored": round(kl_anchored, 3),
        "kl_mixture": round(kl_mixture, 3),
        "elbo_standard": round(-distortion - kl_standard, 3),
        "elbo_mixture": round(-distortion - kl_mixture, 3),
        "log_p_standard": log_p(model, images[:N_IMAGES], torch.zeros(1, 2)),
        "log_p_mixture": log_p(model, images[:N_IMAGES], centres[:2000]),
    }


def outliers(name: str) -> dict[str, Any]:
    """Score how untypical images of MNIST's test set and of Fashion-MNIST's are, in three ways."""
    model = recipes.train(name, WEIGHTS, n_samples=0, progress=False).model
    _, test = digits()
    sets = {"MNIST": test[:2000], "Fashion-MNIST": datasets.fashion_mnist(train=False)[:1000]}
    found: dict[str, Any] = {"kind": "outliers"}
    for title, part in sets.items():
        codes = model.codes(part.images)
        bound = bounds.elbo(model, part.images, 5, torch.Generator().manual_seed(0))
        energy = 0.5 * (codes.mu.square() + codes.logvar.exp()).sum(1)
        found[title] = {
            "posterior energy": rounded(energy, 3),
            "KL": rounded(bound.kl, 3),
            "negative ELBO": rounded(-bound.elbo, 2),
        }
    return found


def test_images() -> dict[str, Any]:
    """Return what the classifier and the score see in the test images."""
    train, score = scores("drawn")
    _, test = digits()
    return {
        "kind": "test images",
        "shares": shares(test.images),
        "unsure": unsure(test.images),
        "score": {
            "mean": round(score.mean().item(), 4),
            "variance": round(score.var().item(), 5),
            "class_means": rounded(
                torch.stack([score[test.labels == c].mean() for c in range(10)])
            ),
            # Of the images of which recipes ship the encodings, so that a page can colour them.
            "test": rounded(score[:1500], 3),
            "train": rounded(train[:2000], 3),
        },
    }


def row(name: str) -> dict[str, Any]:
    """Measure a recipe, whichever it is."""
    if name == CLASSIFIER:
        return test_images()
    return outliers(name) if name in PLAIN else anchored(name)


anchors = Experiment(
    "anchors",
    row,
    {
        "name": [
            *(name for name in recipes.trainable() if name.startswith("anchor-")),
            *PLAIN,
            CLASSIFIER,
        ]
    },
    uses=lambda name: [recipes.get(each).fingerprint for each in (name, CLASSIFIER)],
    about={"samples": N_SAMPLES, "log_p_images": N_IMAGES},
)
