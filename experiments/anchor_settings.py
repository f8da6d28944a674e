"""What lies between our setting of anchors and the post's: network, likelihood and score apart.

    make experiment NAME=anchor_settings

The studies `anchors` and `anchor_controls` have three settings: ours (a narrow network, Bernoulli
pixels, the cosine as score), ours with the post's wide network, and the post's (wide, squared
error, the share of ink on binary templates as score). A row here is about one model of one seed of
the settings between them, at the rate 0 or 10; at 0 the score plays no part:

- `narrow`, `squared`, `cosine`, both rates: ours with the other likelihood;
- `wide`, `squared`, `cosine`, rate 10: the post's with our score;
- `wide`, `bernoulli`, `share`, rate 10: ours with the post's network and score.

So network and likelihood are crossed for our score, and likelihood and score for the wide network.
All are trained as in those studies. Numbers: of 5,000 decoded draws of the model's own prior
(`mixture`) and of its own codes (`aggregate`), how far the shares of the digits are from those of
the test images, and how many images the classifier is unsure of.

Written down before the first of them was trained, for the draws of the model's own prior, from
rate 0 to rate 10: a setting *gains* where fewer of them are unsure in 5 of 5 seeds, and *pays*
where more are in 5 of 5. We know that ours gains and that the post's pays. One of network,
likelihood and score *makes the difference* if each crossed pair that differs in it alone has one
that gains, or is undecided, on the side of ours, and one that pays on the side of the post's.

The chapter on anchors reads the table.
"""

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Bernoulli, Classifier, Gaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift
from vaebook.objectives import negative_elbo
from vaebook.recipes.book.part5 import score
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

WEIGHTS = Path("_build/weights")
CLASSIFIER = "mnist-classifier"
SEEDS, N_SAMPLES = range(5), 5000
SETTINGS = [
    ("narrow", "squared", "cosine", 0.0),
    ("narrow", "squared", "cosine", 10.0),
    ("wide", "squared", "cosine", 10.0),
    ("wide", "bernoulli", "share", 10.0),
]


@cache
def digits() -> tuple[ImageSet, ImageSet]:
    """The training images, shuffled, and the test images."""
    train = datasets.mnist(train=True)
    order = torch.randperm(len(train), generator=Generator().manual_seed(0))
    return train[order], datasets.mnist(train=False)


@cache
def classifier() -> Classifier:
    model: Classifier = recipes.train(CLASSIFIER, WEIGHTS, progress=False).model
    return model


def ink_on_templates(images: Tensor) -> Tensor:
    """The share of an image's ink on a binary ring minus that on a bar."""
    ring, bar = (t().gt(0.5).to(images) for t in (datasets.donut, datasets.stick))
    return (images * (ring - bar)).flatten(1).sum(1) / images.flatten(1).sum(1).clamp_min(1e-6)


def narrow(rate: float) -> VAE:
    """Return our untrained network with the squared error."""
    prior = ConditionalShift(2, rate, score("drawn"))
    return VAE(MLPEncoder(4, (64, 32)), MLPDecoder(2, (32, 64)), 2, Gaussian(0.5), prior)


def trained(network: str, likelihood: str, by: str, rate: float, seed: int) -> VAE:
    if network == "narrow":
        own = recipes.get(f"anchor-r{rate:g}-s{seed}")
        changed = replace(
            own, name=f"anchor-squared-r{rate:g}-s{seed}", model=partial(narrow, rate)
        )
        found: VAE = recipes.train(changed, WEIGHTS, progress=False).model
        return found
    train, _ = datasets.mnist(train=True).split(11 / 12, seed=0)
    torch.manual_seed(seed)
    prior = ConditionalShift(2, rate, score("drawn") if by == "cosine" else ink_on_templates)
    pixels = Bernoulli() if likelihood == "bernoulli" else Gaussian(0.5)
    model = VAE(MLPEncoder(4), MLPDecoder(2), 2, pixels, prior)
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


def seen(images: Tensor) -> Tensor:
    """What the classifier says of images, [N, 10]."""
    return torch.cat([classifier()(part).softmax(1) for part in images.split(1000)])


def shares(told: Tensor) -> Tensor:
    return torch.bincount(told.argmax(1), minlength=10) / len(told)


def row(network: str, likelihood: str, by: str, rate: float, seed: int) -> dict[str, Any]:
    """Measure what one model draws."""
    train, test = digits()
    model = trained(network, likelihood, by, rate, seed)
    generator = Generator().manual_seed(1)
    own = model.codes(train[:N_SAMPLES]).sample(generator)
    c = model.prior.condition(train)
    assert c is not None
    picked = c[torch.randint(len(c), (N_SAMPLES,), generator=generator)]
    wanted = shares(seen(test.images))
    result: dict[str, Any] = {}
    for name, z in (
        ("mixture", model.prior.sample(N_SAMPLES, picked, generator)),
        ("aggregate", own),
    ):
        told = seen(model.decode(z))
        result[name] = {
            "off": round((shares(told) - wanted).abs().sum().item() / 2, 4),
            "unsure": round((told.amax(1) < 0.9).double().mean().item(), 4),
        }
    return result


anchor_settings = Experiment(
    "anchor_settings",
    row,
    [
        {"network": network, "likelihood": likelihood, "by": by, "rate": rate, "seed": seed}
        for seed in SEEDS
        for network, likelihood, by, rate in SETTINGS
    ],
    uses=lambda network, likelihood, by, rate, seed: [
        recipes.get(CLASSIFIER).fingerprint,
        *([recipes.get(f"anchor-r{rate:g}-s{seed}").fingerprint] if network == "narrow" else []),
    ],
)
