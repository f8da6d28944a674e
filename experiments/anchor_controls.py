"""Controls of the anchored VAEs: a wider network, and a prior that is fitted to the codes.

    make experiment NAME=anchor_controls

A row is about one model of one seed at the rate 0 or 10, with drawn templates: `narrow`, the
784-64-32-2 recipes of the study `anchors`, or `wide`, 784-400-100-2 networks as the post has them,
trained here in the same way with the same Bernoulli pixels. Numbers as in that study; `fitted` are
draws of one Gaussian with mean and covariance of the codes of 5,000 training images, `floor` is
how far the shares of 5,000 classes drawn from those of the test images lie off. Of what comes when
a zero is asked for by its score it holds the digits and the mean score.

These were added after the study had been read: its own verdicts stand on its own forms.
The chapter on anchors reads the table.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli, Classifier
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift
from vaebook.objectives import negative_elbo
from vaebook.recipes.book.part5 import score
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

WEIGHTS = Path("_build/weights")
CLASSIFIER = "mnist-classifier"
N_SAMPLES = 5000


@cache
def digits() -> tuple[ImageSet, ImageSet]:
    """5,000 training images, and the test images."""
    train = datasets.mnist(train=True)
    order = torch.randperm(len(train), generator=Generator().manual_seed(0))
    return train[order[:N_SAMPLES]], datasets.mnist(train=False)


@cache
def classifier() -> Classifier:
    model: Classifier = recipes.train(CLASSIFIER, WEIGHTS, progress=False).model
    return model


def trained(width: str, rate: float, seed: int) -> VAE:
    if width == "narrow":
        narrow: VAE = recipes.train(f"anchor-r{rate:g}-s{seed}", WEIGHTS, progress=False).model
        return narrow
    train, _ = datasets.mnist(train=True).split(11 / 12, seed=0)
    torch.manual_seed(seed)
    prior = ConditionalShift(2, rate, score("drawn"))
    model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Bernoulli(), prior)
    fit(
        model,
        negative_elbo,
        train,
        epochs=20,
        batch_size=256,
        learning_rate=2e-3,
        schedule=one_cycle,
        seed=seed,
        progress=False,
    )
    return model.requires_grad_(False)


def shares(images: Tensor) -> Tensor:
    """How often the classifier sees each class."""
    seen = torch.cat([classifier()(part).argmax(1) for part in images.split(1000)])
    return torch.bincount(seen, minlength=10) / len(seen)


def unsure(images: Tensor) -> float:
    """The share of images of which the classifier is less than 90 % sure."""
    top = torch.cat([classifier()(part).softmax(1).amax(1) for part in images.split(1000)])
    return (top < 0.9).double().mean().item()


def row(width: str, rate: float, seed: int) -> dict[str, Any]:
    """Compare draws of four sources, and see what comes instead of a zero."""
    train, test = digits()
    assert train.labels is not None
    model = trained(width, rate, seed)
    generator = Generator().manual_seed(1)
    wanted = shares(test.images)
    c = model.prior.condition(train)
    assert c is not None
    codes = model.codes(train)
    own = codes.sample(generator)
    root = torch.linalg.cholesky(torch.cov(own.T))
    noise = torch.randn(N_SAMPLES, 2, generator=generator)
    sources = {
        "standard": noise,
        "mixture": model.prior.sample(N_SAMPLES, c, generator),
        "fitted": own.mean(0) + noise @ root.T,
        "aggregate": own,
    }
    result: dict[str, Any] = {}
    for name, z in sources.items():
        drawn = model.decode(z)
        off = (shares(drawn) - wanted).abs().sum() / 2
        result[name] = {"off": round(off.item(), 4), "unsure": round(unsure(drawn), 4)}
    picks = torch.multinomial(wanted, N_SAMPLES, replacement=True, generator=generator)
    floor = (torch.bincount(picks, minlength=10) / N_SAMPLES - wanted).abs().sum() / 2
    zeros = c[train.labels == 0]
    asked = zeros[torch.randint(len(zeros), (2000,), generator=generator)]
    come = model.decode(model.prior.sample(2000, asked, generator))
    axis = torch.tensor([1.0, 1.0]) / 2**0.5
    across = own @ torch.tensor([1.0, -1.0]) / 2**0.5
    binary = test.with_images(datasets.binarize(test.images, Generator().manual_seed(0)))
    bound = bounds.elbo(model, binary, 5, Generator().manual_seed(0))
    return result | {
        "floor": round(floor.item(), 4),
        "variance_along": round((own @ axis).var().item(), 4),
        "variance_across": round(across.var().item(), 4),
        # The share of a class within 1 of the diagonal, where the prior is.
        "near_diagonal": [
            round((across[train.labels == k].abs() < 1).double().mean().item(), 4)
            for k in range(10)
        ],
        "asked_zero": [round(value, 4) for value in shares(come).tolist()],
        "asked_score": round(asked.mean().item(), 4),
        "score_of_draws": round(score("drawn")(come).mean().item(), 4),
        "reconstruction": round(-bound.log_prob.mean().item(), 3),
    }


def uses(width: str, rate: float, seed: int) -> list[str]:
    """What decides a row beside this file."""
    names = [CLASSIFIER, *([f"anchor-r{rate:g}-s{seed}"] if width == "narrow" else [])]
    return [recipes.get(name).fingerprint for name in names]


anchor_controls = Experiment(
    "anchor_controls",
    row,
    {"width": ("narrow", "wide"), "rate": (0.0, 10.0), "seed": range(5)},
    uses=uses,
)
