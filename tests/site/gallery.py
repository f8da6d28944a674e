"""One of each live figure, for a page and for a notebook."""

from collections.abc import Callable
from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from vaebook import datasets, live, recipes
from vaebook.latent.diffusion import Denoiser, NoisedMixture
from vaebook.models import VAE
from vaebook.models.learned_priors import VampPrior
from vaebook.models.priors import Mixture, StandardNormal
from vaebook.recipes import Trained

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
</head><body><main><h1>Figures</h1>{}</main></body></html>"""


def small_digits() -> datasets.ImageSet:
    """Scikit-learn's digits as they are, 8 × 8."""
    found = load_digits()
    images = torch.tensor(found.images / 16, dtype=torch.float32)[:, None]
    return datasets.ImageSet(images, torch.tensor(found.target), names=tuple("0123456789"))


def fields() -> tuple[Denoiser, NoisedMixture]:
    """A denoiser that knows nothing, and a mixture of three."""
    torch.manual_seed(0)
    means = torch.tensor([[-2.0, 0.0], [1.0, 1.0], [1.0, -2.0]])
    return Denoiser(2, 16), NoisedMixture(means, torch.full((3, 2), -2.0))


def drawn_prior() -> live.Live:
    """A prior of six digits for a model that was trained with N(0, I)."""
    trained = recipes.load("prior-2d-normal-s0")
    model, codes = trained.model, trained.codes
    images = datasets.digits().images
    vamp = VampPrior(model.encoder, 2, images[:6])
    with_vamp = VAE(model.encoder, model.decoder, 2, model.likelihood, vamp).eval()
    others = {"N(0, I)": StandardNormal(2), "a mixture": Mixture.fitted(codes.mu, 5)}
    return live.draw_prior(
        with_vamp, codes.mu, codes.logvar, codes.labels, others, images[20:23], alt="A prior."
    )


@cache
def plane() -> Trained:
    """A model with two latent dimensions."""
    return recipes.load("mnist-mlp-2d")


def codes() -> tuple[Tensor, Tensor]:
    """Its codes, and their labels."""
    return plane().codes.mu, plane().codes.labels


@cache
def three_digits() -> Tensor:
    """Three of the ten."""
    return datasets.digits().images[[0, 11, 22]]


def eight_dials() -> live.Live:
    """A map of more than two dimensions."""
    eight = recipes.load("mnist-small-8d-s0")
    return live.latent_map(eight.model, eight.codes.mu, eight.codes.labels, alt="Eight dials.")


def betas() -> live.Live:
    """Three models of one sweep."""
    runs = []
    for beta in (0.01, 1.0, 3.0):
        trained = recipes.load(f"beta-mnist-b{beta:g}-s0")
        metrics = trained.card["metrics"]
        rate, fit = metrics["kl"]["nats"], metrics["log_p_x_given_z"]["nats"]
        runs.append(live.BetaRun(beta, trained.model, trained.codes.mu, rate, -fit))
    return live.beta_dial(runs, trained.codes.labels, three_digits(), alt="A dial.")


@cache
def pair() -> tuple[list[live.Twin], list[Tensor]]:
    """A VAE and an autoencoder of heatmaps, and the codes of each."""
    twins, clouds = [], []
    for title, name in (("VAE", "heatmap-vae-optimal-s22"), ("AE", "heatmap-ae-s22")):
        trained = recipes.load(name)
        mu = trained.codes.mu
        twins.append(live.Twin(title, trained.model, mu.mean(0), torch.diag(mu.std(0))))
        clouds.append(mu)
    return twins, clouds


def walk() -> live.Live:
    """A walk along the factors of heatmaps."""
    (twin, _), (mu, _) = pair()
    return live.heatmap_walk(twin, mu, mu[:, 0], alt="A walk.", names=("u₁", "u₂", "u₃"))


def half() -> live.Live:
    """Pixels to be scratched away."""
    eight = recipes.load("mnist-small-8d-s0")
    return live.half_digit(eight.model, three_digits(), alt="Half a digit.")


MAKERS: dict[str, Callable[[], live.Live]] = {
    "pipeline": lambda: live.pipeline(
        plane().model, datasets.digits().images[range(0, 110, 11)], *codes(), alt="A pipeline."
    ),
    "beta": betas,
    "map": lambda: live.latent_map(plane().model, *codes(), alt="A map."),
    "dials": eight_dials,
    "chains": lambda: live.chains(plane().model, three_digits()[0], *codes(), alt="Two chains."),
    "bench": lambda: live.elbo_bench(alt="A bench."),
    "easel": lambda: live.draw_digit(plane().model, *codes(), three_digits(), alt="An easel."),
    "twins": lambda: live.twins(*pair(), alt="Twins."),
    "panel": lambda: live.heatmap_panel(alt="A heatmap."),
    "walk": walk,
    "tails": lambda: live.tails(alt="Two densities."),
    "trainer": lambda: live.trainer(small_digits(), alt="A training."),
    "half": half,
    "ways": lambda: live.shortest_ways(pair()[0][0].model, alt="Three ways."),
    "fall": lambda: live.denoising(plane().model, *fields(), *codes(), alt="A draw that falls."),
    "cells": lambda: live.codebook(
        plane().model, codes()[0][:12].clamp(-2, 2), *codes(), alt="Cells of vectors."
    ),
    "prior": drawn_prior,
    "simplex": lambda: live.simplex(alt="Draws in a triangle."),
    "climb": lambda: live.refinement(plane().model, three_digits(), alt="A climb."),
}
NAMES = tuple(MAKERS)


@cache
def figure(name: str) -> live.Live:
    """One of them, from a model that the package ships."""
    return MAKERS[name]()


@cache
def page_of(*names: str) -> str:
    """A page with those of the names."""
    return PAGE.format(
        "".join(f'<section id="{name}">{figure(name)._repr_html_()}</section>' for name in names)
    )


def with_kernel() -> dict[str, live.WithKernel]:
    """What needs Python behind it."""
    model, (mu, labels) = plane().model, codes()
    return {
        "train": live.train_again(small_digits()[:300], alt="Train again."),
        "chains": live.chains_on_drawing(
            model, mu, labels, three_digits(), alt="Chains on a drawing."
        ),
        "evidence": live.evidence_of_drawing(
            model, mu, labels, three_digits(), alt="Bounds of a drawing."
        ),
        "islands": live.embed_again(mu[:100], labels[:100], alt="Islands."),
        "anchors": live.train_anchored(small_digits()[:300], alt="Anchors."),
        "price": live.train_at_price(
            small_digits()[:300], {1.0: (9.0, 2.0), 9.0: (3.0, 5.0)}, noise=0.1, alt="A price."
        ),
        "tell": live.train_to_tell(small_digits()[:300], alt="Ten classes."),
        "along": live.train_with_prior(small_digits()[:300], alt="Along."),
        "own": live.train_on_own(small_digits()[:300], alt="My own."),
    }
