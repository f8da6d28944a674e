"""The sweeps over beta, with four ways to choose a variance, on noisy heatmaps and on MNIST.

    make experiment NAME=beta_sweep

A row is about one of the `beta-*` recipes: ten seeds on the heatmaps, five on MNIST, equal budgets
within a data set, He's initial weights. Settings were chosen in trials at the prices 1 and .03
with seed 0, by the validation loss alone; there twice the epochs gained less than four nats of
1,115 on the heatmaps and less than half a nat of 464 on MNIST.

What the numbers are, and what they were to decide, was written down before the first of these
models was trained:

- *Active.* A latent is active where it carries more than .1 nats (`kl_each`). That its mean varies
  by more than .01 (`active_units`) is shown beside it.
- *Networks that deserve the name.* At each price of MNIST between .01 and 3, in 5 of 5 seeds, the
  test error of reconstructions from mu is smaller than that of as many principal components of the
  training images as latents are active (`components`); and S + 2 kappa R of the test images is
  smaller than that of the best linear VAE at the same kappa, whose S and R are those of the
  training images' covariance (`linear_objective`).
- *Monotone.* Between neighbouring prices, in each seed, the rate falls and the error rises by the
  proposition; a step the wrong way counts where it is more than 2 % of the error, or .2 nats.
- *Threshold.* No latent is active at a price above that of the linear threshold, some is at the
  highest price below it, in every seed.
- *Landing.* The price at which a criterion is best, per seed; a way to choose the variance lands
  at its kappa. Two landings agree where they are within a factor 3 in 8 of 10 seeds (4 of 5 on
  MNIST): neighbouring prices are.
- *The variance of known noise.* Its square root is within 5 % of the truth, and above it, in 10 of
  10 seeds, for each noise and for each of learned and optimal.
- *What a score hangs on.* Over the prices up to 100 and ten seeds: eta squared of the price, with
  a 95 % interval by resampling seeds; what remains is the seed's within a price. Over methods:
  each of learned, optimal, GECO and thermostat against the mean of the two prices of the sweep
  next to its kappa, seed by seed; a difference counts where it has one sign in 9 of 10 seeds.
- *Price, method and seed*, written down when the rows were there, and the comparison above had
  been read (thermostat: DCI higher in 10 of 10 at its price), but before this was computed. At two
  rates there are three methods with ten seeds each: at that of the price 1 the sweep, learned and
  optimal variance; at that of the thermostat the sweep, the thermostat and slow GECO. The sweep
  has no model there, so that its score is read off the seed's own curve, linear in the rate, at
  the rate of the seed's thermostat. GECO at its full step has a rate that nothing else has, and is
  left out. Over these sixty scores: the share of the rate (1 of 59 degrees of freedom), of the
  method within a rate (4), of the seed (9) and the rest. Control: methods shuffled within rate and
  seed, 4,000 times. The method matters for a score where as large a share comes by chance less
  than once in a hundred; where not, nothing is said.
- *Which part of the KL.* Mutual information, total correlation and dimension-wise KL over the
  mixture of all 11,875 codes. The claim of the literature, that a higher price makes codes more
  independent and more disentangled: the total correlation falls, and MIG, SAP and DCI rise, with
  Spearman's rank correlation over the prices 1 to 100 of the right sign in 9 of 10 seeds.
- *Hold the distortion.* GECO and thermostat hold the test error within 5 % of the tolerance in all
  seeds; their rate is compared with that of the sweep's curve at the same error, linear between
  neighbouring prices of the seed (`above_curve`, nats).
  One control was added when GECO's first rows had been seen, whose multiplier was beyond all
  bounds at the end of the training: the same with a tenth of its step (`geco-slow`).
- *Samples.* The Fréchet distance of 5,000 draws of N(0, I), and, as the control, of as many from
  the model's own codes of test images, both against the other half of the test images.

The summary has the curve of the best linear VAE of each data set. The chapter on beta reads it.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook import datasets, objectives, recipes
from vaebook.measures import agreement, bounds, disentanglement
from vaebook.models import VAE, Classifier
from vaebook.recipes.book.part5 import NOISE, TOLERANCES, VARIANCES
from vaebook.tables import Experiment

WEIGHTS = Path("_build/weights")
CLASSIFIER = "mnist-classifier"
ACTIVE = 0.1  # nats


@cache
def classifier() -> Classifier:
    model: Classifier = recipes.train(CLASSIFIER, WEIGHTS, progress=False).model
    return model


@cache
def digits() -> tuple[Tensor, Tensor]:
    """Two halves of the test images, shuffled: MNIST's are in an order."""
    images = datasets.mnist(train=False).images
    images = images[torch.randperm(len(images), generator=Generator().manual_seed(0))]
    return images[:5000], images[5000:]


@cache
def real() -> Tensor:
    """The classifier's features of the half of the test images that draws are compared with."""
    return classifier().features(digits()[0])


@cache
def components(data: str) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, eigenvalues and eigenvectors of the clean training images' covariance, by size."""
    train, _ = recipes.get(f"beta-{data}-b1-s0").sets()
    images = train.images.flatten(1).double()
    values, vectors = torch.linalg.eigh(torch.cov(images.T))
    return images.mean(0), values.flip(0).clamp_min(0), vectors.flip(1)


def linear(data: str, kappa: Tensor | float) -> tuple[Tensor, Tensor]:
    """Rate and squared error of the best linear VAE at kappa, by water-filling."""
    noise, latents = (NOISE, 6) if data == "heatmap" else (0.0, 16)
    values = components(data)[1] + noise**2
    kappas = torch.as_tensor(kappa, dtype=torch.float64)
    used = values[:latents, None]
    rates = 0.5 * (used / kappas).log().clamp_min(0).sum(0)
    return rates, used.minimum(kappas).sum(0) + values[latents:].sum()


def test_images(recipe: recipes.Recipe) -> Tensor:
    """Return the test images as the recipe's card has them, noise included."""
    _, test = recipe.sets()
    if recipe.transform is None:
        return test.images
    return recipe.transform(test.images, generator=Generator().manual_seed(0))


def row(name: str) -> dict[str, Any]:
    """Measure one model."""
    recipe, trained = recipes.get(name), recipes.train(name, WEIGHTS, progress=False)
    model, metrics = trained.model, trained.card["metrics"]
    data, way, noise = (recipe.tags[tag] for tag in ("data", "way", "noise"))
    images = test_images(recipe)
    codes = model.codes(images)
    decoded = decode(model, codes.sample(Generator().manual_seed(0)))
    squared = (decoded - images).flatten(1).square().sum(1).mean().item()
    pixels = images[0].numel()
    kl_each = objectives.kl_per_latent(codes.mu, codes.logvar).mean(0)
    rate, mse = kl_each.sum().item(), squared / pixels
    nominal = VARIANCES[data]
    variance = model.likelihood.variance.item()
    kappa = recipe.tags["beta"] * nominal if way == "fixed" else float(f"{variance:.6g}")
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
        "active": int((kl_each > ACTIVE).sum()),
        "active_units": metrics["active_units"],
        "kl_each": [round(value, 3) for value in kl_each.tolist()],
        # With the sweep's own variance, and with the one that fits the error best.
        "elbo": round(-half * math.log(2 * math.pi * nominal) - squared / (2 * nominal) - rate, 3),
        "elbo_calibrated": round(-half * (math.log(2 * math.pi * mse) + 1) - rate, 3),
        "clean_error": metrics.get("frobenius_clean"),
    }
    if data == "mnist":
        result |= beside_linear(model, images, kappa, int((kl_each > ACTIVE).sum()))
        result["objective"] = round(squared + 2 * kappa * rate, 4)
        result |= samples(model)
    elif noise == NOISE:
        result |= scores(model)
    return result


@torch.no_grad()
def decode(model: VAE, z: Tensor) -> Tensor:
    return torch.cat([model.decode(part) for part in z.split(1000)])


def beside_linear(model: VAE, images: Tensor, kappa: float, active: int) -> dict[str, float]:
    """What as many principal components and the best linear VAE leave of the same images."""
    mean, _, vectors = components("mnist")
    rest = images.flatten(1).double() - mean
    left = rest.square().sum(1) - (rest @ vectors[:, :active]).square().sum(1)
    error = (decode(model, model.codes(images).mu) - images).flatten(1).square().sum(1)
    rates, errors = linear("mnist", kappa)
    return {
        "mean_error": round(error.mean().item(), 4),
        "components": round(left.mean().item(), 4),
        "linear_objective": round((errors + 2 * kappa * rates).item(), 4),
    }


def samples(model: VAE) -> dict[str, float]:
    """Fréchet distances to test images: draws of the prior, and of other test images' codes."""
    prior = model.prior.sample(5000, generator=Generator().manual_seed(1))
    own = model.codes(digits()[1]).sample(Generator().manual_seed(2))
    return {
        name: round(
            agreement.frechet_distance(
                classifier().features(decode(model, z).clamp(0, 1)), real()
            ),
            3,
        )
        for name, z in (("frechet", prior), ("frechet_own", own))
    }


def scores(model: VAE) -> dict[str, float]:
    """Disentanglement of draws of q(z|x) of 4,000 heatmaps; parts of the KL over those of all."""
    everything = datasets.heatmaps()
    generator = Generator().manual_seed(2)
    codes = model.codes(datasets.add_noise(everything.images, NOISE, generator))
    part = torch.randperm(len(everything), generator=generator)[:4000]
    z, factors = codes.sample(generator)[part], everything[part].factors
    found = disentanglement.scores(z, factors, generator)
    assert codes.logvar is not None
    parts = bounds.kl_parts(codes.mu, codes.logvar, 4000, generator)
    return {
        "mig": round(found.mig, 4),
        "sap": round(found.sap, 4),
        "dci": round(found.dci.disentanglement, 4),
        "completeness": round(found.dci.completeness, 4),
        "informativeness": round(found.dci.informativeness, 4),
        **{name: round(value.item(), 4) for name, value in parts._asdict().items()},
    }


def linear_curves() -> dict[str, Any]:
    """Rate and distortion of the best linear VAE of each data set."""
    found = {}
    for data in VARIANCES:
        kappas = torch.logspace(-3.5, 2.2, 58).double()
        rates, errors = linear(data, kappas)
        noise = NOISE if data == "heatmap" else 0.0
        found[data] = {
            "kappas": [round(k, 6) for k in kappas.tolist()],
            "rates": [round(r, 4) for r in rates.tolist()],
            "squared_errors": [round(e, 4) for e in errors.tolist()],
            "eigenvalues": [round(v, 4) for v in (components(data)[1][:20] + noise**2).tolist()],
        }
    return found


beta_sweep = Experiment(
    "beta_sweep",
    row,
    {"name": [name for name in recipes.trainable() if name.startswith("beta-")]},
    uses=lambda name: [recipes.get(each).fingerprint for each in (name, CLASSIFIER)],
    about={"variances": VARIANCES, "tolerances": TOLERANCES, "active": ACTIVE},
    summarize=lambda rows: {"linear": linear_curves()},
)
