"""Shaping the latent space: betas and variances, anchors, a conditional VAE."""

__all__ = ["ANCHOR_RATES", "BATCH", "HEATMAP_BETAS", "MNIST_BETAS", "recipes", "score"]

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
    LearnedGaussian,
    OptimalGaussian,
)
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder
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
ANCHOR_RATES = (0.0, 3.0, 10.0)
BATCH = 16  # images of a class, where anchors are drawn from a batch


def recipes() -> list[Recipe]:
    """Return the recipes of Part V."""
    # All of a seed before the next one: a sweep that is stopped has whole curves.
    sweeps = [recipe for seed in range(3) for recipe in _sweep(seed)]
    return [*sweeps, *(recipe for seed in range(5) for recipe in _anchored(seed))]


def _heatmap_vae(likelihood: Callable[[], Gaussian]) -> VAE:
    encoder, decoder = ConvEncoder(12, initial="torch"), ConvDecoder(6, hidden=32, initial="torch")
    return VAE(encoder, decoder, 6, likelihood())


def _mnist_vae(likelihood: Callable[[], Gaussian]) -> VAE:
    encoder = MLPEncoder(32, (32,), initial="torch")
    return VAE(encoder, MLPDecoder(16, (32,), initial="torch"), 16, likelihood())


def _heatmap(way: str, likelihood: Callable[[], Gaussian], noise: float, **rest: Any) -> Recipe:
    about = rest.pop("about")
    return Recipe(
        f"beta-{way}-s{rest['seed']}",
        HEATMAPS,
        partial(_heatmap_vae, likelihood),
        part=PART,
        **{"epochs": 20, **rest},
        learning_rate=4e-3,
        transform=partial(add_noise, scale=noise),
        measure=measure.noisy_vae,
        n_codes=500,
        keep_steps=False,
        summary="VAE, three conv + max-pool blocks, 6 latents, on heatmaps with pixel noise "
        f"{noise:g}, {about}",
    )


def _mnist(way: str, likelihood: Callable[[], Gaussian], **rest: Any) -> Recipe:
    about = rest.pop("about")
    return Recipe(
        f"beta-{way}-s{rest['seed']}",
        MNIST,
        partial(_mnist_vae, likelihood),
        part=PART,
        **{"epochs": 10, **rest},
        learning_rate=4e-3,
        batch_size=512,
        measure=measure.gaussian_vae,
        n_codes=400,
        keep_steps=False,
        summary=f"784-32-16 MLP VAE on MNIST, Gaussian, {about}",
    )


def _sweep(seed: int) -> list[Recipe]:
    found = [
        _heatmap(
            f"heatmap-b{beta:g}",
            partial(Gaussian, 0.01),
            0.1,
            objective=partial(negative_elbo, beta=beta),
            seed=seed,
            tags={"data": "heatmap", "way": "fixed", "beta": beta, "noise": 0.1, "seed": seed},
            about=f"variance 0.01, beta = {beta:g}",
        )
        for beta in HEATMAP_BETAS
    ]
    found += [
        _mnist(
            f"mnist-b{beta:g}",
            partial(Gaussian, 0.5),
            objective=partial(negative_elbo, beta=beta),
            seed=seed,
            tags={"data": "mnist", "way": "fixed", "beta": beta, "seed": seed},
            about=f"variance 1/2, beta = {beta:g}",
        )
        for beta in MNIST_BETAS
    ]
    found += [
        _heatmap(
            f"heatmap-{way}",
            likelihood,
            0.1,
            seed=seed,
            tags={"data": "heatmap", "way": way, "noise": 0.1, "seed": seed},
            **more,
        )
        for way, likelihood, more in _variances(0.011, 20)
    ]
    found += [
        _mnist(
            f"mnist-{way}",
            likelihood,
            seed=seed,
            tags={"data": "mnist", "way": way, "seed": seed},
            **more,
        )
        for way, likelihood, more in _variances(0.03, 10)
    ]
    found += [
        _heatmap(
            f"noise{noise:g}",
            partial(OptimalGaussian, 0.02),
            noise,
            seed=seed,
            tags={"data": "heatmap", "way": "optimal", "noise": noise, "seed": seed},
            about="optimal variance",
        )
        for noise in (0.05, 0.3)
    ]
    return found


def _variances(
    tolerance: float, epochs: int
) -> list[tuple[str, Callable[[], Gaussian], dict[str, Any]]]:
    return [
        # A learned logarithm moves by no more than the learning rate per step: it must not start
        # too far away.
        ("learned", partial(LearnedGaussian, 0.02), {"about": "learned variance"}),
        ("optimal", partial(OptimalGaussian, 0.02), {"about": "optimal variance"}),
        # A thermostat starts when the networks have learnt to draw.
        (
            "geco",
            partial(ConstrainedGaussian, tolerance),
            {
                "about": f"mean squared error held at {tolerance}",
                "epochs": 2 * epochs,
                "keep_last": True,
            },
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
