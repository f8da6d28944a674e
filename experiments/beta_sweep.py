"""The table of the sweep over beta, for the chapter on beta.

    VAEBOOK_DATA=... OMP_NUM_THREADS=1 python -m vaebook train "beta-*" --into weights
    VAEBOOK_DATA=... OMP_NUM_THREADS=1 python experiments/beta_sweep.py --weights weights

measures every model that the first command has trained and writes vaebook/tables/beta_sweep.json,
one row per model.
"""

import argparse
import json
import math
import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets, objectives, recipes
from vaebook.measures import agreement, disentanglement
from vaebook.models import VAE

RESULTS = Path(__file__).parents[1] / "vaebook" / "tables" / "beta_sweep.json"
CALIBRATION = {"heatmap": 0.01, "mnist": 0.5}  # the sweeps' fixed variances


def test_images(recipe: recipes.Recipe) -> Tensor:
    """Return the test images as the recipe's card has them, noise included."""
    _, test = recipe.sets()
    if recipe.transform is None:
        return test.images
    return recipe.transform(test.images, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def row(name: str, directory: Path, features: Any, real: Tensor) -> dict[str, Any]:
    """Measure one model."""
    trained = recipes.load(name, directory)
    model, metrics, recipe = trained.model, trained.card["metrics"], recipes.get(name)
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
    nominal = CALIBRATION[data]
    kappa = recipe.tags["beta"] * nominal if way == "fixed" else metrics["variance"]
    half = 0.5 * pixels
    result = {
        "name": name,
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
        "seconds": trained.card["budget"]["seconds"],
    }
    if data == "heatmap" and noise == 0.1:
        result |= scores(model, noise)
    if data == "mnist":
        draws = model.prior.sample(2000, generator=torch.Generator().manual_seed(1))
        samples = model.decode(draws).clamp(0, 1)
        result["frechet"] = round(agreement.frechet_distance(features(samples), real), 3)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--into", type=Path, default=RESULTS)
    options = parser.parse_args()
    names = [name for name in recipes.trainable() if name.startswith("beta-")]
    classifier = recipes.load("mnist-classifier").model
    with torch.no_grad():
        real = classifier.features(datasets.mnist(train=False).images[:5000])
    runs = []
    for name in names:
        if recipes.is_trained(name, options.weights):
            runs.append(row(name, options.weights, classifier.features, real))
            print(runs[-1], flush=True)
        else:
            print(f"{name} is not trained", flush=True)
    results = {
        "variances": CALIBRATION,
        "pixels": {"heatmap": 36**2, "mnist": 28**2},
        "tolerances": {"heatmap": 0.011, "mnist": 0.03},
        "linear": linear_curves(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "runs": runs,
    }
    options.into.write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
