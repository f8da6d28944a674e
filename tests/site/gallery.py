"""One of each live figure, for a page and for a notebook."""

from functools import cache

import torch
from sklearn.datasets import load_digits

from vaebook import datasets, live, recipes
from vaebook.latent.diffusion import Denoiser, NoisedMixture
from vaebook.models import VAE
from vaebook.models.learned_priors import VampPrior
from vaebook.models.priors import Mixture, StandardNormal

NAMES = (
    "pipeline", "beta", "map", "dials", "chains", "bench", "easel", "twins", "panel", "walk",
    "tails", "trainer", "half", "ways", "fall", "cells", "prior",
    "simplex", "climb",
)  # fmt: skip
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
def figures() -> dict[str, live.Live]:
    """One of each, from models that the package ships."""
    plane = recipes.load("mnist-mlp-2d")
    eight = recipes.load("mnist-small-8d-s0")
    codes = (plane.codes.mu, plane.codes.labels)
    images = datasets.digits().images[[0, 11, 22]]
    pair, clouds = [], []
    for title, name in (("VAE", "heatmap-vae-optimal-s22"), ("AE", "heatmap-ae-s22")):
        trained = recipes.load(name)
        mu = trained.codes.mu
        pair.append(live.Twin(title, trained.model, mu.mean(0), torch.diag(mu.std(0))))
        clouds.append(mu)
    runs = []
    for beta in (0.01, 1.0, 3.0):
        trained = recipes.load(f"beta-mnist-b{beta:g}-s0")
        metrics = trained.card["metrics"]
        rate, fit = metrics["kl"]["nats"], metrics["log_p_x_given_z"]["nats"]
        runs.append(live.BetaRun(beta, trained.model, trained.codes.mu, rate, -fit))
    return {
        "pipeline": live.pipeline(
            plane.model, datasets.digits().images[range(0, 110, 11)], *codes, alt="A pipeline."
        ),
        "beta": live.beta_dial(runs, trained.codes.labels, images, alt="A dial."),
        "map": live.latent_map(plane.model, *codes, alt="A map."),
        "dials": live.latent_map(
            eight.model, eight.codes.mu, eight.codes.labels, alt="Eight dials."
        ),
        "chains": live.chains(plane.model, images[0], *codes, alt="Two chains."),
        "bench": live.elbo_bench(alt="A bench."),
        "easel": live.draw_digit(plane.model, *codes, images, alt="An easel."),
        "twins": live.twins(pair, clouds, alt="Twins."),
        "panel": live.heatmap_panel(alt="A heatmap."),
        "tails": live.tails(alt="Two densities."),
        "walk": live.heatmap_walk(
            pair[0], clouds[0], clouds[0][:, 0], alt="A walk.", names=("u₁", "u₂", "u₃")
        ),
        "trainer": live.trainer(small_digits(), alt="A training."),
        "ways": live.shortest_ways(pair[0].model, alt="Three ways."),
        "fall": live.denoising(plane.model, *fields(), *codes, alt="A draw that falls."),
        "cells": live.codebook(
            plane.model, plane.codes.mu[:12].clamp(-2, 2), *codes, alt="Cells of vectors."
        ),
        "half": live.half_digit(eight.model, images, alt="Half a digit."),
        "prior": drawn_prior(),
        "climb": live.refinement(plane.model, images, alt="A climb."),
        "simplex": live.simplex(alt="Draws in a triangle."),
    }


def with_kernel() -> dict[str, live.WithKernel]:
    """What needs Python behind it."""
    plane = recipes.load("mnist-mlp-2d")
    images = datasets.digits().images[[0, 11, 22]]
    codes = plane.codes
    return {
        "train": live.train_again(small_digits()[:300], alt="Train again."),
        "chains": live.chains_on_drawing(
            plane.model, codes.mu, codes.labels, images, alt="Chains on a drawing."
        ),
        "evidence": live.evidence_of_drawing(
            plane.model, codes.mu, codes.labels, images, alt="Bounds of a drawing."
        ),
        "islands": live.embed_again(codes.mu[:100], codes.labels[:100], alt="Islands."),
        "anchors": live.train_anchored(small_digits()[:300], alt="Anchors."),
        "price": live.train_at_price(
            small_digits()[:300], {1.0: (9.0, 2.0), 9.0: (3.0, 5.0)}, noise=0.1, alt="A price."
        ),
        "tell": live.train_to_tell(small_digits()[:300], alt="Ten classes."),
        "along": live.train_with_prior(small_digits()[:300], alt="Along."),
        "own": live.train_on_own(small_digits()[:300], alt="My own."),
    }
