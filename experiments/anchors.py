"""Anchored and conditional VAEs of MNIST: what they do to the plane, with controls.

    make experiment NAME=anchors

A row is about one model of one seed, 784-64-32-2 from He's initial weights, 20 epochs. Its `way`:

- `drawn` by the rates 0, 3 and 10, `means` and `batch` at the rate 10: the recipes `anchor-*`;
- `conditional`: the recipe whose decoder is told the class; `told`, where the encoder is as well:
  a learned picture of the class is added to the image that it sees;
- `post`: the setting of the post that the idea comes from, as far as it is known: 784-400-100-2,
  binary templates (a ring and a bar by our own rule, above one half), the score the share of the
  ink that lies on the ring minus that on the bar, and the squared error; the rates 0 and 10.

One more row is about the test images themselves, seen by the classifier and by the score.

What the numbers are, and what they were to decide, was written down before the first of these
models was trained:

- *Direction.* The correlation of z1 + z2 with the score has the same sign in every seed at the
  rates 3 and 10, and not at 0. Control: the best direction of the plain plane.
- *Prior against decoder.* `shares` and `unsure` of 5,000 decoded draws of N(0, I), of the model's
  own prior (`mixture`), of its own aggregate posterior (`aggregate`, the control: these codes are
  right whatever the prior is), and of the test images' reconstructions (`reconstructed`). Shares
  are compared by their total variation distance from those of the test images. What is left with
  the aggregate posterior is the decoder's; what N(0, I) adds to it is the prior's. Anchoring helps
  where, in 5 of 5 seeds, draws of the model's own prior are nearer to the test images' shares, or
  fewer of them unsure, than those of the plain model; it hurts where it is the other way round in
  5 of 5.
- *Asking by the score.* `asked`: shares among draws of the prior that is told the scores of
  zeros, or of ones. Two yardsticks: `codes`, draws of q(z|x) of images of that digit; and, in the
  row of the test images, `same_score`, the digits among the training images with the score of
  such a digit (each of 500 by the 200 images with the nearest scores).
- *What it costs.* Reconstruction, ELBO and log p(x) under the prior that a model has, seed by
  seed against rate 0.
- *Told or not.* ELBO of log p(x|c), reconstruction, obedience and the class in the code, with and
  without the encoder told.

Where log p(x) is compared with an ELBO, the one is that of the first 1,000 test images and the
other that of all; the summary has by how much the ELBO of all is the larger, for the models of
seed 0 that come with the package.

The chapter on anchors reads the table.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from vaebook import datasets, objectives, recipes
from vaebook.datasets import ImageSet
from vaebook.latent import paths
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli, Classifier, Gaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift
from vaebook.recipes.book.part5 import ANCHOR_RATES, BATCH, score
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

WEIGHTS = Path("_build/weights")
CLASSIFIER = "mnist-classifier"
SEEDS = range(5)
N_SAMPLES, N_IMAGES, N_CODES, N_NEAR = 5000, 1000, 400, 200
ANCHORED = [("drawn", rate) for rate in ANCHOR_RATES]
ANCHORED += [("means", 10.0), ("batch", 10.0), ("post", 0.0), ("post", 10.0)]


@cache
def digits() -> tuple[ImageSet, ImageSet]:
    """The training images, shuffled, and the test images, shuffled: MNIST's are in an order."""
    train, test = datasets.mnist(train=True), datasets.mnist(train=False)
    generator = Generator().manual_seed(0)
    return tuple(part[torch.randperm(len(part), generator=generator)] for part in (train, test))  # type: ignore[return-value]


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


def seen(images: Tensor) -> dict[str, Any]:
    """How often the classifier sees each class, and is less than 90 % sure."""
    told = torch.cat([classifier()(part).softmax(1) for part in images.split(1000)])
    counts = torch.bincount(told.argmax(1), minlength=10)
    unsure = (told.amax(1) < 0.9).double().mean().item()
    return {"shares": rounded(counts / len(told)), "unsure": round(unsure, 4)}


def ink_on_templates(images: Tensor) -> Tensor:
    """The post's kind of score: the share of an image's ink on a ring minus that on a bar."""
    ring, bar = (t().gt(0.5).to(images) for t in (datasets.donut, datasets.stick))
    return (images * (ring - bar)).flatten(1).sum(1) / images.flatten(1).sum(1).clamp_min(1e-6)


class Told(VAE):
    """A conditional VAE whose encoder sees the class as well, as a picture added to the image."""

    def __init__(self) -> None:
        super().__init__(
            MLPEncoder(4, (64, 32)), MLPDecoder(12, (32, 64)), 2, Bernoulli(), None, 10
        )
        self.pictures = nn.Parameter(torch.zeros(10, 1, 28, 28))

    def with_class(self, images: ImageSet) -> Tensor:
        return images.images + self.pictures[images.labels]


def told_elbo(
    model: Told, batch: ImageSet, *, generator: Generator | None, progress: float
) -> dict[str, Tensor]:
    """The negative ELBO with q(z|x, c)."""
    mu, logvar = model.encode(model.with_class(batch))
    z = model.reparameterize(mu, logvar, generator)
    reconstruction = -model.log_prob(batch.images, z, batch.labels)
    kl = objectives.kl_divergence(mu, logvar)
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


def trained(way: str, rate: float, seed: int) -> VAE:
    """Train one model, or take a recipe's."""
    if way == "conditional":
        name = f"anchor-conditional-s{seed}"
    elif way in ("drawn", "means", "batch"):
        name = f"anchor-{f'r{rate:g}' if way == 'drawn' else way}-s{seed}"
    else:
        train, _ = datasets.mnist(train=True).split(11 / 12, seed=0)
        torch.manual_seed(seed)
        model: VAE = Told()
        if way == "post":
            prior = ConditionalShift(2, rate, ink_on_templates)
            model = VAE(MLPEncoder(4), MLPDecoder(2), 2, Gaussian(0.5), prior)
        fit(
            model,
            objectives.negative_elbo if way == "post" else told_elbo,
            train,
            epochs=20,
            batch_size=256,
            learning_rate=4e-3 if way == "told" else 2e-3,
            schedule=one_cycle,
            seed=seed,
            progress=False,
        )
        return model.requires_grad_(False)
    model = recipes.train(name, WEIGHTS, progress=False).model
    return model


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


def class_in_code(mu: Tensor, labels: Tensor) -> float:
    """The share of codes whose class the majority of the ten nearest others has."""
    nearest = torch.cdist(mu[:2000], mu).topk(11, largest=False).indices[:, 1:]
    votes = labels[nearest].mode(1).values
    return round((votes == labels[:2000]).double().mean().item(), 4)


def anchored(way: str, rate: float, seed: int) -> dict[str, Any]:
    """Measure one anchored model, or the plain one of rate 0."""
    train, test = digits()
    assert test.labels is not None
    assert train.labels is not None
    model = trained(way, rate, seed)
    assert isinstance(model.prior, ConditionalShift)
    codes = model.codes(test)
    mu = codes.mu
    c_train, c = model.prior.condition(train), model.prior.condition(test)
    slope = torch.linalg.lstsq(mu - mu.mean(0), (c - c.mean())[:, None]).solution[:, 0]
    ours = model.codes(train[:N_SAMPLES])
    generator = Generator().manual_seed(1)
    aggregate = ours.sample(generator)
    centres = -rate * c_train[:, None].expand(-1, 2)
    noise = torch.randn(N_SAMPLES, 2, generator=generator)
    picked = torch.randint(len(centres), (N_SAMPLES,), generator=generator)
    draws = {
        "standard": noise,
        "mixture": noise + centres[picked],
        "aggregate": aggregate,
        "reconstructed": mu,
        "grid": paths.quantile_grid(30).reshape(-1, 2),
    }
    result: dict[str, Any] = {
        "correlations": [correlation(mu[:, j], c) for j in range(2)],
        "correlation_of_sum": correlation(mu.sum(1), c),
        "best_correlation": abs(correlation(mu @ slope, c)),
        # Where the score rises, in degrees from the first axis.
        "best_direction": round(torch.atan2(slope[1], slope[0]).rad2deg().item(), 1),
        "class_means": rounded(torch.stack([mu[test.labels == k].mean(0) for k in range(10)])),
        "aggregate_mean": rounded(aggregate.mean(0)),
        "aggregate_covariance": rounded(torch.cov(aggregate.T)),
        "score_variance": round(c_train.var().item(), 5),
        "class_in_code": class_in_code(mu, test.labels),
        **{name: seen(model.decode(z)) for name, z in draws.items()},
        "asked": {str(k): asked(model, train, c_train, ours, k, generator) for k in (0, 1)},
    }
    if way == "drawn" and rate in (0, 10) and seed in (0, 1):
        result["codes"] = rounded(mu[:N_CODES], 2)
    return result | costs(model, test, c, centres, grey=way == "post")


def asked(
    model: VAE, train: ImageSet, c: Tensor, ours: Any, digit: int, generator: Generator
) -> dict[str, Any]:
    """What is drawn when a digit is asked for by its scores; the control has its own codes."""
    assert train.labels is not None
    scores = c[train.labels == digit]
    picked = scores[torch.randint(len(scores), (2000,), generator=generator)]
    own = ours[train.labels[: len(ours)] == digit]
    return {
        "score": seen(model.decode(model.prior.sample(2000, picked, generator))),
        "codes": seen(model.decode(own.sample(generator))),
    }


def costs(model: VAE, test: ImageSet, c: Tensor, centres: Tensor, grey: bool) -> dict[str, Any]:
    """Reconstruction, KL and bounds on the test images, binarised where pixels are Bernoulli."""
    images = test.images if grey else datasets.binarize(test.images, Generator().manual_seed(0))
    bound = bounds.elbo(model, test.with_images(images), 5, Generator().manual_seed(0))
    distortion = -bound.log_prob.mean().item()
    codes = model.codes(images)
    assert codes.logvar is not None
    z = codes.sample(Generator().manual_seed(0))
    log_q = (-0.5 * ((z - codes.mu).square() / codes.logvar.exp() + codes.logvar)).sum(1)
    log_q = log_q - torch.log(torch.tensor(2 * torch.pi))
    kl_mixture = (log_q - log_mixture(z, centres[:2000])).mean().item()
    kl_standard = objectives.kl_divergence(codes.mu, codes.logvar).mean().item()
    kl_anchored = model.prior.kl(codes.mu, codes.logvar, c).mean().item()
    return {
        "reconstruction": round(distortion, 3),
        "kl_standard": round(kl_standard, 3),
        "kl_anchored": round(kl_anchored, 3),
        "kl_mixture": round(kl_mixture, 3),
        "elbo_standard": round(-distortion - kl_standard, 3),
        "elbo_mixture": round(-distortion - kl_mixture, 3),
        "log_p_standard": log_p(model, images[:N_IMAGES], torch.zeros(1, 2)),
        "log_p_mixture": log_p(model, images[:N_IMAGES], centres[:2000]),
    }


def conditional(way: str, seed: int) -> dict[str, Any]:
    """Measure one model of p(x|c), whose encoder is told the class or not."""
    _, test = digits()
    assert test.labels is not None
    model = trained(way, 0.0, seed)
    images = datasets.binarize(test.images, Generator().manual_seed(0))
    binary = test.with_images(images)
    encoded = model.with_class if isinstance(model, Told) else lambda batch: batch.images
    with torch.no_grad():
        codes, grey = model.codes(encoded(binary)), model.codes(encoded(test))
        assert codes.logvar is not None
        z = [codes.sample(Generator().manual_seed(k)) for k in range(5)]
        log_prob = torch.stack([model.log_prob(images, each, test.labels) for each in z]).mean(0)
        kl = objectives.kl_divergence(codes.mu, codes.logvar)
        wanted = torch.arange(N_SAMPLES) % 10
        noise = torch.randn(N_SAMPLES, 2, generator=Generator().manual_seed(1))
        drawn = model.decode(noise, wanted)
        obeyed = torch.cat([classifier()(part).argmax(1) for part in drawn.split(1000)]) == wanted
    return {
        "reconstruction": round(-log_prob.mean().item(), 3),
        "kl_standard": round(kl.mean().item(), 3),
        "elbo": round((log_prob - kl).mean().item(), 3),
        "obeyed": round(obeyed.double().mean().item(), 4),
        "standard": seen(drawn),
        "class_in_code": class_in_code(grey.mu, test.labels),
    }


def test_images() -> dict[str, Any]:
    """What the classifier and the score see in the test images."""
    train, test = digits()
    assert test.labels is not None
    assert train.labels is not None
    ours, theirs = score("drawn")(train.images), score("drawn")(test.images)
    between = torch.stack([theirs[test.labels == k].mean() for k in range(10)])
    centre = test.images[:, 0, 11:17, 11:17].flatten(1).mean(1)
    return {
        **seen(test.images),
        "score": {
            "mean": round(ours.mean().item(), 4),
            "variance": round(ours.var().item(), 5),
            "class_means": rounded(between),
            "class_sds": rounded(torch.stack([theirs[test.labels == k].std() for k in range(10)])),
            # The share of the score's variance that lies between the classes.
            "between": round((between[test.labels].var() / theirs.var()).item(), 4),
            "with_empty_centre": correlation(theirs, -centre),
            "auc_zeros": auc(theirs, test.labels == 0),
            "auc_ones": auc(-theirs, test.labels == 1),
            "roundest": test.labels[theirs.argsort(descending=True)[:100]].tolist(),
            "same_score": {str(k): same_score(ours, train.labels, k) for k in (0, 1)},
            "codes": rounded(theirs[:N_CODES], 3),
        },
        "labels": test.labels[:N_CODES].tolist(),
    }


def auc(scores: Tensor, wanted: Tensor) -> float:
    """The chance that a wanted image has a larger score than another."""
    from sklearn.metrics import roc_auc_score

    return round(float(roc_auc_score(wanted.numpy(), scores.numpy())), 4)


def same_score(c: Tensor, labels: Tensor, digit: int) -> list[float]:
    """The shares of the digits among images that have the score of one digit."""
    some = c[labels == digit][:500]
    near = (some[:, None] - c).abs().topk(N_NEAR, largest=False).indices
    return rounded(torch.bincount(labels[near.flatten()], minlength=10) / near.numel())


def row(way: str, rate: float, seed: int) -> dict[str, Any]:
    """Measure one model, or the images."""
    if way == "test images":
        return test_images()
    return conditional(way, seed) if way in WITH_CLASS else anchored(way, rate, seed)


def beyond_the_first(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """By how much the ELBO of all test images is larger than that of the first ones, nats."""
    _, test = digits()
    binary = test.with_images(datasets.binarize(test.images, Generator().manual_seed(0)))
    found = {}
    for name in ("anchor-r0-s0", "anchor-r10-s0", "anchor-conditional-s0"):
        each = bounds.elbo(recipes.load(name).model, binary, 5, Generator().manual_seed(0)).elbo
        found[name] = round((each.mean() - each[:N_IMAGES].mean()).item(), 3)
    return {"beyond_the_first": found}


WITH_CLASS = ("conditional", "told")


def uses(way: str, rate: float, seed: int) -> list[Any]:
    """What decides a row beside this file."""
    found: list[Any] = [recipes.get(CLASSIFIER).fingerprint, BATCH]
    if way in ("drawn", "means", "batch"):
        name = f"anchor-{f'r{rate:g}' if way == 'drawn' else way}-s{seed}"
        found.append(recipes.get(name).fingerprint)
    if way == "conditional":
        found.append(recipes.get(f"anchor-conditional-s{seed}").fingerprint)
    return found


anchors = Experiment(
    "anchors",
    row,
    [
        {"way": "test images", "rate": 0.0, "seed": 0},
        *(
            {"way": way, "rate": rate, "seed": seed}
            for seed in SEEDS
            for way, rate in [*ANCHORED, *((way, 0.0) for way in WITH_CLASS)]
        ),
    ],
    uses=uses,
    about={"samples": N_SAMPLES, "log_p_images": N_IMAGES, "batch": BATCH},
    summarize=beyond_the_first,
)
