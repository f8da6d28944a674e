"""Shaping the latent space: betas and variances, anchors, a conditional VAE."""

__all__ = [
    "ANCHOR_RATES",
    "BATCH",
    "HEATMAP_BETAS",
    "MNIST_BETAS",
    "NOISE",
    "SWEEP_SEEDS",
    "TOLERANCES",
    "VARIANCES",
    "heatmap_vae",
    "recipes",
    "score",
]

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets
from vaebook.datasets import add_noise
from vaebook.models import (
    VAE,
    Bernoulli,
    ConstrainedGaussian,
    Gaussian,
    GecoGaussian,
    LearnedGaussian,
    OptimalGaussian,
)
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift, Prior
from vaebook.objectives import negative_elbo
from vaebook.recipes import measure
from vaebook.recipes.book.data import HEATMAPS, MNIST
from vaebook.recipes.recipe import Recipe

PART = "V. Shaping the latent space"

# Of the noisy heatmaps, in units of their noise's variance; and of MNIST, in units of 1/2, so that
# the loss is the squared error plus beta times the KL. Both run from codes that hold more than
# there is to know down to a collapse: half the largest eigenvalue of the images' covariance, the
# threshold of a linear VAE, is at about 2,600 and at 10.
HEATMAP_BETAS = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0, 10_000.0)
MNIST_BETAS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 30.0)
SWEEP_SEEDS = {"heatmap": range(10), "mnist": range(5)}
VARIANCES = {"heatmap": 0.01, "mnist": 0.5}  # where beta has its unit
TOLERANCES = {"heatmap": 0.011, "mnist": 0.03}  # mean squared errors to hold
NOISE, OTHER_NOISES = 0.1, (0.05, 0.3)  # standard deviations in a pixel of the heatmaps
ANCHOR_RATES = (0.0, 3.0, 10.0)
BATCH = 16  # images of a class, where anchors are drawn from a batch


def recipes() -> list[Recipe]:
    """Return the recipes of Part V."""
    # All of a seed before the next one: a sweep that is stopped has whole curves.
    sweeps = [
        recipe
        for seed in SWEEP_SEEDS["heatmap"]
        for data, seeds in SWEEP_SEEDS.items()
        if seed in seeds
        for recipe in _sweep(data, seed)
    ]
    return [*sweeps, *(recipe for seed in range(5) for recipe in _anchored(seed))]


def heatmap_vae(likelihood: Callable[[], Gaussian]) -> VAE:
    """Return the sweep's untrained network for heatmaps."""
    shape = (1, 36, 36)
    decoder = MLPDecoder(6, (32, 64), shape=shape)
    return VAE(MLPEncoder(12, (64,), shape=shape), decoder, 6, likelihood())


def _mnist_vae(likelihood: Callable[[], Gaussian]) -> VAE:
    return VAE(MLPEncoder(32, (128,)), MLPDecoder(16, (64,)), 16, likelihood())


def _heatmap(name: str, likelihood: Callable[[], Gaussian], noise: float, **rest: Any) -> Recipe:
    about = rest.pop("about")
    return Recipe(
        name,
        HEATMAPS,
        partial(heatmap_vae, likelihood),
        part=PART,
        epochs=40,
        learning_rate=0.016,
        transform=partial(add_noise, scale=noise),
        measure=measure.noisy_vae,
        n_codes=500,
        keep_steps=False,
        summary=f"1296-64-6-32-64-1296 MLP VAE on heatmaps with pixel noise {noise:g}, {about}",
        **rest,
    )


def _mnist(name: str, likelihood: Callable[[], Gaussian], **rest: Any) -> Recipe:
    about = rest.pop("about")
    return Recipe(
        name,
        MNIST,
        partial(_mnist_vae, likelihood),
        part=PART,
        epochs=20,
        learning_rate=0.016,
        batch_size=512,
        measure=measure.gaussian_vae,
        n_codes=400,
        keep_steps=False,
        summary=f"784-128-16-64-784 MLP VAE on MNIST, Gaussian, {about}",
        **rest,
    )


def _sweep(data: str, seed: int) -> list[Recipe]:
    build = partial(_heatmap, noise=NOISE) if data == "heatmap" else _mnist
    tags = {"data": data, "noise": NOISE if data == "heatmap" else 0.0, "seed": seed}
    variance, betas = VARIANCES[data], HEATMAP_BETAS if data == "heatmap" else MNIST_BETAS
    found = [
        build(
            f"beta-{data}-b{beta:g}-s{seed}",
            partial(Gaussian, variance),
            objective=partial(negative_elbo, beta=beta),
            seed=seed,
            tags=tags | {"way": "fixed", "beta": beta},
            about=f"variance {variance:g}, beta = {beta:g}",
        )
        for beta in betas
    ]
    found += [
        build(
            f"beta-{data}-{way}-s{seed}",
            likelihood,
            seed=seed,
            tags=tags | {"way": way},
            about=about,
            keep_last=keep_last,
        )
        for way, likelihood, about, keep_last in _ways(TOLERANCES[data])
    ]
    if data == "heatmap":
        found += [
            _heatmap(
                f"beta-noise{noise:g}-s{seed}",
                partial(OptimalGaussian, 0.02),
                noise,
                seed=seed,
                tags=tags | {"way": "optimal", "noise": noise},
                about="optimal variance",
            )
            for noise in OTHER_NOISES
        ]
    return found


def _ways(tolerance: float) -> list[tuple[str, Callable[[], Gaussian], str, bool]]:
    """Return how else than by hand a variance is chosen, and whether the last weights are kept."""
    return [
        # A learned logarithm moves by no more than the learning rate per step: it must not start
        # too far away.
        ("learned", partial(LearnedGaussian, 0.02), "learned variance", False),
        ("optimal", partial(OptimalGaussian, 0.02), "optimal variance", False),
        *(
            (
                name,
                partial(GecoGaussian, tolerance, step),
                f"GECO, mean squared error {tolerance}, step {step:g}",
                True,
            )
            for name, step in (("geco", 0.01), ("geco-slow", 0.001))
        ),
        (
            "thermostat",
            partial(ConstrainedGaussian, tolerance),
            f"thermostat, mean squared error {tolerance}",
            True,
        ),
    ]


def _plane_vae(prior: Callable[[], Prior] | None, n_classes: int = 0) -> VAE:
    return VAE(
        MLPEncoder(4, (64, 32)),
        MLPDecoder(2 + n_classes, (32, 64)),
        2,
        Bernoulli(),
        None if prior is None else prior(),
        n_classes,
    )


def _drawn_score(images: Tensor) -> Tensor:
    return datasets.donutness(images, datasets.donut(), datasets.stick())


@cache
def mean_templates(count: int | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return the mean image of all training zeros and of all ones, or of a few drawn ones."""
    training, _ = MNIST.load()
    assert training.labels is not None
    templates = []
    for digit in (0, 1):
        images = training.images[training.labels == digit]
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        templates.append(images[order[:count]].mean((0, 1)))
    return templates[0], templates[1]


def _mean_score(images: Tensor, count: int | None = None, seed: int = 0) -> Tensor:
    templates = mean_templates(count, seed)
    return datasets.donutness(images, *(t.to(images.device) for t in templates))


def score(by: str, seed: int = 0) -> Callable[[Tensor], Tensor]:
    """Return what maps images to c: by "drawn" templates, "means" of classes or a "batch"."""
    if by == "drawn":
        return _drawn_score
    return partial(_mean_score, count=BATCH, seed=seed) if by == "batch" else _mean_score


def _anchored(seed: int) -> list[Recipe]:
    small = partial(
        Recipe,
        data=MNIST,
        part=PART,
        epochs=20,
        learning_rate=4e-3,
        batch_size=256,
        seed=seed,
        n_codes=1500,
        keep_steps=False,
    )
    vae = "784-64-32-2 MLP VAE on MNIST, Bernoulli, "
    templates = {
        "drawn": "donut and stick",
        "means": "mean zero and mean one",
        "batch": f"the means of {BATCH} zeros and of {BATCH} ones",
    }
    ways = [("drawn", rate, f"r{rate:g}") for rate in ANCHOR_RATES]
    ways += [("means", 10.0, "means"), ("batch", 10.0, "batch")]
    return [
        *(
            small(
                f"anchor-{name}-s{seed}",
                model=partial(_plane_vae, partial(ConditionalShift, 2, rate, score(by, seed))),
                summary=f"{vae}{templates[by]} anchored at rate {rate:g}",
                tags={"score": by, "rate": rate, "seed": seed},
            )
            for by, rate, name in ways
        ),
        small(
            f"anchor-conditional-s{seed}",
            model=partial(_plane_vae, None, 10),
            summary=vae + "conditional on the class",
            tags={"conditional": True, "seed": seed},
        ),
    ]
