"""The plane of an autoencoder and that of a VAE, from five starts each.

    make experiment NAME=two_planes

A row is one training, of one hidden layer of 64 units on either side of two latent dimensions, for
thirty epochs of 55,000 images of MNIST, and what is measured on the 10,000 test images.

- `long`, `short`: standard deviations of the codes along the principal axes of their cloud.
- `empty_0`, `empty_1`, `empty_5`: share of the cells that hold no code, per cent, in a grid of 50
  by 50 over a box from which so many per cent of the codes are cut off on each side.
- `largest_step`: share of the largest of 32 steps in the change along a straight line, per cent.
- `response`: change of the image when its code moves by 1 % of the cloud's spread, pixels.
- `lines`: how far images on lines between the codes of two test images are from the nearest of
  5,000 other test images, over the same for the reconstructions at the ends.
- `wrong_*`, `frechet_*`: decoded are draws of N(0, I) (`prior`), of the Gaussian fitted to the
  codes (`fitted`), and of the encoder for each test image (`own`). The recipe `mnist-classifier`
  tells their classes, whose shares are compared with those of the test images (total variation,
  per cent), and its features are compared with theirs (Fréchet distance).
- `error`: of the reconstruction, pixels.

The summary says of draws of N(0, I) what the rows say of codes, and what `wrong` is for a second
sample of the test images' classes. The chapter on autoencoders reads the table.
"""

from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.measures import agreement, bounds
from vaebook.models import VAE, Autoencoder, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.objectives import negative_elbo, reconstruction_only
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

SEEDS, EPOCHS, PAIRS, STEPS, CELLS = 5, 30, 300, 32, 50
TRIMS = (0, 1, 5)  # per cent of the codes, on each side


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


@cache
def test_images() -> ImageSet:
    return datasets.mnist(train=False)


@cache
def classes() -> Tensor:
    labels = test_images().labels
    assert labels is not None
    return labels


def judge(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return classes, [N], and features, [N, 64], by the classifier."""
    classifier = recipes.load("mnist-classifier").model
    features = classifier.codes(images).mu
    return classifier.head(features).argmax(1), features


def shares_of(labels: Tensor) -> Tensor:
    """Return the shares of the ten classes, [10]."""
    return torch.bincount(labels, minlength=10) / len(labels)


def wrong(labels: Tensor) -> float:
    """Return the total variation from the test images' shares of classes, per cent."""
    return 50 * (shares_of(labels) - shares_of(classes())).abs().sum().item()


@cache
def true_features() -> Tensor:
    return judge(test_images().images)[1]


@cache
def pairs() -> Tensor:
    """Return two test images of different classes, both of the first half, [2, PAIRS]."""
    ends = torch.randint(5000, (2, 2 * PAIRS), generator=seeded(1))
    differ = classes()[ends[0]] != classes()[ends[1]]
    return ends[:, differ][:, :PAIRS]


def empty_share(z: Tensor, trim: float) -> float:
    """Return the share of cells of a grid over the trimmed box that hold none of the points."""
    low, high = (z.quantile(q, dim=0) for q in (trim / 100, 1 - trim / 100))
    z = z[((z >= low) & (z <= high)).all(1)]
    cell = ((z - low) / (high - low) * CELLS).long().clamp(max=CELLS - 1)
    return 1 - len(cell.unique(dim=0)) / CELLS**2


def fitted_gaussian(z: Tensor, generator: Generator) -> Tensor:
    """Return as many draws from the Gaussian with mean and covariance of the points."""
    root = torch.linalg.cholesky(z.T.cov())
    return z.mean(0) + torch.randn(z.shape, generator=generator) @ root.T


def scale(z: Tensor) -> dict[str, float]:
    short, long = torch.linalg.eigvalsh(z.T.cov()).sqrt().tolist()
    empty = {f"empty_{trim}": 100 * empty_share(z, trim) for trim in TRIMS}
    return {"long": long, "short": short, **empty}


def pace(model: VAE | Autoencoder, z: Tensor) -> dict[str, float]:
    start, end = z[pairs()]
    t = torch.linspace(0, 1, STEPS + 1)[:, None, None]
    walk = model.decode(torch.lerp(start, end, t).flatten(0, 1)).flatten(1)
    change = walk.unflatten(0, (STEPS + 1, -1)).diff(dim=0).norm(dim=2)
    step = 0.01 * (fitted_gaussian(z, seeded(2)) - z.mean(0))
    moved = (model.decode(z + step) - model.decode(z)).flatten(1).norm(dim=1)
    return {
        "largest_step": 100 * (change.max(0).values / change.sum(0)).mean().item(),
        "response": moved.mean().item(),
    }


def nearest(images: Tensor, gallery: Tensor) -> Tensor:
    """Return the distance of each image to the nearest of a gallery, [N]."""
    parts = images.flatten(1).split(1000)
    return torch.cat([torch.cdist(part, gallery.flatten(1)).amin(1) for part in parts])


def lines(model: VAE | Autoencoder, z: Tensor) -> float:
    gallery = test_images().images[5000:]
    start, end = z[pairs()]
    t = torch.linspace(0.1, 0.9, 9)[:, None, None]
    between = nearest(model.decode(torch.lerp(start, end, t).flatten(0, 1)), gallery)
    ends = nearest(model.decode(torch.cat([start, end])), gallery)
    return (between.mean() / ends.mean()).item()


def drawing(model: VAE | Autoencoder, z: Tensor, own: Tensor) -> dict[str, float]:
    draws = {
        "prior": torch.randn(z.shape, generator=seeded(3)),
        "fitted": fitted_gaussian(z, seeded(4)),
        "own": own,
    }
    found = {}
    for name, drawn in draws.items():
        told, features = judge(model.decode(drawn))
        found[f"wrong_{name}"] = wrong(told)
        found[f"frechet_{name}"] = agreement.frechet_distance(features, true_features())
    return found


def trained(kind: str, seed: int) -> VAE | Autoencoder:
    """Return a model trained from one seed of initial weights, batches and noise."""
    torch.manual_seed(seed)
    encoder = MLPEncoder(4 if kind == "vae" else 2, (64,), initial="torch")
    decoder = MLPDecoder(2, (64,), initial="torch")
    model = (VAE if kind == "vae" else Autoencoder)(encoder, decoder, 2, Bernoulli())
    fit(
        model,
        negative_elbo if kind == "vae" else reconstruction_only,
        datasets.mnist(train=True).split(11 / 12, seed=0)[0],
        epochs=EPOCHS,
        batch_size=256,
        learning_rate=4e-3,
        schedule=one_cycle,
        seed=seed,
        progress=False,
    )
    return model.requires_grad_(False)


def row(kind: str, seed: int) -> dict[str, float]:
    """Train one model and measure its plane."""
    model = trained(kind, seed)
    codes = model.codes(test_images())
    found = {
        **scale(codes.mu),
        **pace(model, codes.mu),
        "lines": lines(model, codes.mu),
        **drawing(model, codes.mu, codes.sample(seeded(5))),
        "error": bounds.reconstruction_errors(model, test_images()).mean().item(),
    }
    return {name: round(value, 4) for name, value in found.items()}


def classifier_used(kind: str, seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.get("mnist-classifier").fingerprint]


def of_the_prior(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Say the same of draws of N(0, I), and of a second sample of the test images' classes."""
    draws = [torch.randint(10_000, (10_000,), generator=seeded(seed)) for seed in range(20)]
    again = sum(wrong(classes()[draw]) for draw in draws) / len(draws)
    found = {**scale(torch.randn(10_000, 2, generator=seeded(0))), "wrong": again}
    return {name: round(value, 4) for name, value in found.items()}


two_planes = Experiment(
    "two_planes",
    row,
    {"kind": ["ae", "vae"], "seed": range(SEEDS)},
    uses=classifier_used,
    summarize=of_the_prior,
)
