"""The sweeps over beta, with three ways to choose a variance, three seeds each.

    make experiment NAME=beta_sweep

A row is about one of the `beta-*` recipes, on noisy heatmaps or on MNIST: rate, squared error and
ELBO on the test images, disentanglement on heatmaps, and the Fréchet distance of samples, in the
features of a classifier, on MNIST. The summary has the curve of the best linear VAE of each data
set. The chapter on beta reads it.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets, objectives, recipes
from vaebook.measures import agreement, disentanglement
from vaebook.models import VAE, Classifier
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")
CLASSIFIER = "mnist-classifier"
VARIANCES = {"heatmap": 0.01, "mnist": 0.5}  # the sweeps' fixed ones


@cache
def classifier() -> Classifier:
    model: Classifier = recipes.train(CLASSIFIER, WEIGHTS, progress=False).model
    return model


@cache
def real() -> Tensor:
    """The classifier's features of test images."""
    return classifier().features(datasets.mnist(train=False).images[:5000])


def test_images(recipe: recipes.Recipe) -> Tensor:
    """Return the test images as the recipe's card has them, noise included."""
    _, test = recipe.sets()
    if recipe.transform is None:
        return test.images
    return recipe.transform(test.images, generator=torch.Generator().manual_seed(0))


def row(name: str) -> dict[str, Any]:
    """Measure one model."""
    recipe, trained = recipes.get(name), recipes.train(name, WEIGHTS, progress=False)
    model, metrics = trained.model, trained.card["metrics"]
    data, way, noise = (recipe.tags.get(tag, 0.0) for tag in ("data", "way", "noise"))
    images = test_images(recipe)
    codes = model.codes(images)
    z = codes.sample(torch.Generator().manual_seed(0))
    decoded = torch.cat([model.decode(part) for part in z.split(1000)])
    squared = (decoded - images).flatten(1).square().sum(1).mean().item()
    pixels = images[0].numel()
    kl_each = objectives.kl_per_latent(codes.mu, codes.logvar).mean(0)
    rate = kl_each.sum().item()
    mse = squared / pixels
    nominal = VARIANCES[data]
    kappa = recipe.tags["beta"] * nominal if way == "fixed" else metrics["variance"]
    half = 0.5 * pixels
    result = {
        "data": data,
        "noise": noise,
        "way": "beta" if way == "fixed" else way,
        "seed": recipe.seed,
        "kappa": kappa,
        "beta": kappa / nominal,
        "rate": round(rate, 4),
        "squared_error": round(squared, 4),
        "mse": round(mse, 7),
        "active_units": metrics["active_units"],
        "kl_each": [round(value, 3) for value in kl_each.tolist()],
        # With the sweep's own variance, and with the one that fits the error best.
        "elbo": round(-half * math.log(2 * math.pi * nominal) - squared / (2 * nominal) - rate, 3),
        "elbo_calibrated": round(-half * (math.log(2 * math.pi * mse) + 1) - rate, 3),
        "clean_error": metrics.get("frobenius_clean"),
    }
    if data == "heatmap" and noise == 0.1:
        result |= scores(model, noise)
    if data == "mnist":
        draws = model.prior.sample(2000, generator=torch.Generator().manual_seed(1))
        samples = classifier().features(model.decode(draws).clamp(0, 1))
        result["frechet"] = round(agreement.frechet_distance(samples, real()), 3)
    return result


def scores(model: VAE, noise: float) -> dict[str, float]:
    """Disentanglement of draws of q(z|x), 4,000 heatmaps of all."""
    everything = datasets.heatmaps()
    generator = torch.Generator().manual_seed(2)
    part = everything[torch.randperm(len(everything), generator=generator)[:4000]]
    z = model.codes(datasets.add_noise(part.images, noise, generator)).sample(generator)
    found = disentanglement.scores(z, part.factors, generator)
    return {
        "mig": round(found.mig, 4),
        "sap": round(found.sap, 4),
        "dci": round(found.dci.disentanglement, 4),
        "completeness": round(found.dci.completeness, 4),
        "informativeness": round(found.dci.informativeness, 4),
    }


def linear_curves() -> dict[str, Any]:
    """Rate and distortion of the best linear VAE of each data set, by water-filling."""
    found = {}
    for data, name in (("heatmap", "beta-heatmap-b1-s0"), ("mnist", "beta-mnist-b1-s0")):
        recipe = recipes.get(name)
        train, _ = recipe.sets()
        values = torch.linalg.eigvalsh(torch.cov(train.images.flatten(1).double().T)).flip(0)
        values = values.clamp_min(0) + recipe.tags.get("noise", 0.0) ** 2
        latents = 6 if data == "heatmap" else 16
        kappas = torch.logspace(-3.5, 2.2, 58).double()
        used, rest = values[:latents, None], values[latents:].sum()
        rates = 0.5 * (used / kappas).log().clamp_min(0).sum(0)
        errors = used.minimum(kappas).sum(0) + rest
        found[data] = {
            "kappas": [round(k, 6) for k in kappas.tolist()],
            "rates": [round(r, 4) for r in rates.tolist()],
            "squared_errors": [round(e, 4) for e in errors.tolist()],
            "largest_eigenvalue": round(values[0].item(), 4),
        }
    return found


beta_sweep = Experiment(
    "beta_sweep",
    row,
    {"name": [name for name in recipes.trainable() if name.startswith("beta-")]},
    uses=lambda name: [recipes.get(each).fingerprint for each in (name, CLASSIFIER)],
    about={"variances": VARIANCES, "tolerances": {"heatmap": 0.011, "mnist": 0.03}},
    summarize=lambda rows: {"linear": linear_curves()},
)
