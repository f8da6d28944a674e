"""The table of the anchored models, for the chapter on anchors.

    VAEBOOK_DATA=... OMP_NUM_THREADS=1 python -m vaebook train "anchor-*" --into weights
    VAEBOOK_DATA=... OMP_NUM_THREADS=1 python experiments/anchors.py --weights weights

measures every model that the first command has trained, asks two models of MNIST about
Fashion-MNIST, and writes vaebook/tables/anchors.json.
"""

import argparse
import json
import platform
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets, objectives, recipes
from vaebook.latent import paths
from vaebook.measures import bounds
from vaebook.models import VAE, Classifier

RESULTS = Path(__file__).parents[1] / "vaebook" / "tables" / "anchors.json"
N_SAMPLES, N_GRID, N_IMAGES = 5000, 30, 1000


def rounded(values: Tensor, digits: int = 4) -> Any:
    """Return a tensor as nested lists of short numbers."""
    if values.ndim > 1:
        return [rounded(row, digits) for row in values]
    return [round(value, digits) for value in values.tolist()]


def correlation(a: Tensor, b: Tensor) -> float:
    return round(torch.corrcoef(torch.stack([a, b]))[0, 1].item(), 4)


def shares(classifier: Classifier, images: Tensor) -> list[float]:
    """How often the classifier sees each class."""
    seen = torch.cat([classifier(part).argmax(1) for part in images.split(1000)])
    return rounded(torch.bincount(seen, minlength=10) / len(seen))


def unsure(classifier: Classifier, images: Tensor) -> float:
    """The share of images of which the classifier is less than 90 % sure."""
    top = torch.cat([classifier(part).softmax(1).amax(1) for part in images.split(1000)])
    return round((top < 0.9).double().mean().item(), 4)


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


@torch.no_grad()
def row(name: str, directory: Path, data: dict[str, Any]) -> dict[str, Any]:
    """Measure one model."""
    match = re.fullmatch(r"anchor-(r|means|conditional)([\d.]*)-s(\d)", name)
    assert match is not None, name
    kind, rate, seed = match.groups()
    trained = recipes.load(name, directory)
    model, test = trained.model, data["test"]
    codes = model.codes(test)
    mu, logvar = codes.mu, codes.logvar
    z = codes.sample(torch.Generator().manual_seed(0))
    score = data["scores"]["means" if kind == "means" else "drawn"]
    slope = torch.linalg.lstsq(mu - mu.mean(0), (score - score.mean())[:, None]).solution
    result: dict[str, Any] = {
        "name": name,
        "kind": "anchored" if kind == "r" else kind,
        "rate": {"r": float(rate or 0), "means": 10.0, "conditional": 0.0}[kind],
        "seed": int(seed),
        "correlations": [correlation(mu[:, j], score) for j in range(2)],
        "correlation_of_sum": correlation(mu.sum(1), score),
        "best_correlation": abs(correlation((mu @ slope)[:, 0], score)),
        "class_means": rounded(torch.stack([mu[test.labels == c].mean(0) for c in range(10)])),
        "aggregate_mean": rounded(z.mean(0)),
        "aggregate_covariance": rounded(torch.cov(z.T)),
        "error": trained.card["metrics"]["frobenius_pixels"],
    }
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(N_SAMPLES, 2, generator=generator)
    classifier = data["classifier"]
    nearest = torch.cdist(mu, mu)[:2000].topk(11, largest=False).indices[:, 1:]
    votes = test.labels[nearest].mode(1).values
    result["knn_accuracy"] = round((votes == test.labels[:2000]).double().mean().item(), 4)
    if kind == "conditional":
        asked = torch.arange(N_SAMPLES) % 10
        images = model.decode(noise, asked)
        obeyed = (classifier(images).argmax(1) == asked).double().mean().item()
        terms = trained.card["metrics"]
        return result | {"obeyed": round(obeyed, 4), "elbo": terms["elbo"]["nats"]}
    centres = -result["rate"] * data["scores_train"]["means" if kind == "means" else "drawn"]
    centres = centres[:, None].expand(-1, 2)
    picked = torch.randint(len(centres), (N_SAMPLES,), generator=generator)
    grid = paths.quantile_grid(N_GRID).reshape(-1, 2)
    images = datasets.binarize(test.images, torch.Generator().manual_seed(0))
    bound = bounds.elbo(model, images, 5, torch.Generator().manual_seed(0))
    log_q = (-0.5 * ((z - mu).square() / logvar.exp() + logvar)).sum(1) - torch.log(
        torch.tensor(2 * torch.pi)
    )
    kl_mixture = (log_q - log_mixture(z, centres[:2000])).mean().item()
    distortion = -bound.log_prob.mean().item()
    # The bound's own KL is that from the anchored prior.
    binary = model.codes(images)
    kl_standard = objectives.kl_divergence(binary.mu, binary.logvar).mean().item()
    kl_anchored = model.prior.kl(mu, logvar, score).mean().item()
    return result | {
        "shares_standard": shares(classifier, model.decode(noise)),
        "shares_mixture": shares(classifier, model.decode(noise + centres[picked])),
        "shares_grid": shares(classifier, model.decode(grid)),
        "unsure_standard": unsure(classifier, model.decode(noise)),
        "unsure_mixture": unsure(classifier, model.decode(noise + centres[picked])),
        "reconstruction": round(distortion, 3),
        "kl_standard": round(kl_standard, 3),
        "kl_anchored": round(kl_anchored, 3),
        "kl_mixture": round(kl_mixture, 3),
        "elbo_standard": round(-distortion - kl_standard, 3),
        "elbo_mixture": round(-distortion - kl_mixture, 3),
        "log_p_standard": log_p(model, images[:N_IMAGES], torch.zeros(1, 2)),
        "log_p_mixture": log_p(model, images[:N_IMAGES], centres[:2000]),
    }


@torch.no_grad()
def outliers(name: str, sets: dict[str, Tensor]) -> dict[str, Any]:
    """Three scores of how untypical an image is: of MNIST's test set and of Fashion-MNIST's."""
    model = recipes.load(name).model
    found: dict[str, Any] = {}
    for title, images in sets.items():
        codes = model.codes(images)
        bound = bounds.elbo(model, images, 5, torch.Generator().manual_seed(0))
        energy = 0.5 * (codes.mu.square() + codes.logvar.exp()).sum(1)
        found[title] = {
            "posterior energy": rounded(energy, 3),
            "KL": rounded(bound.kl, 3),
            "negative ELBO": rounded(-bound.elbo, 2),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--into", type=Path, default=RESULTS)
    options = parser.parse_args()
    train, test = datasets.mnist(train=True), datasets.mnist(train=False)
    generator = torch.Generator().manual_seed(0)
    train = train[torch.randperm(len(train), generator=generator)]
    templates = {
        "drawn": (datasets.donut(), datasets.stick()),
        "means": tuple(train.images[train.labels == c].mean((0, 1)) for c in (0, 1)),
    }
    data = {
        "test": test,
        "classifier": recipes.load("mnist-classifier").model,
        "scores": {k: datasets.donutness(test.images, *pair) for k, pair in templates.items()},
        "scores_train": {
            k: datasets.donutness(train.images, *pair) for k, pair in templates.items()
        },
    }
    drawn = data["scores"]["drawn"]
    with torch.no_grad():
        real_shares = shares(data["classifier"], test.images)
        real_unsure = unsure(data["classifier"], test.images)
    runs = []
    for name in (name for name in recipes.trainable() if name.startswith("anchor-")):
        if recipes.is_trained(name, options.weights):
            runs.append(row(name, options.weights, data))
            print(runs[-1], flush=True)
    fashion = datasets.fashion_mnist(train=False)
    sets = {"MNIST": test.images[:2000], "Fashion-MNIST": fashion.images[:1000]}
    results = {
        "score": {
            "mean": round(drawn.mean().item(), 4),
            "variance": round(drawn.var().item(), 5),
            "class_means": rounded(
                torch.stack([drawn[test.labels == c].mean() for c in range(10)])
            ),
            # Of the images of which recipes ship the encodings, so that a page can colour them.
            "test": rounded(drawn[:1500], 3),
            "train": rounded(data["scores_train"]["drawn"][:2000], 3),
        },
        "test_shares": real_shares,
        "test_unsure": real_unsure,
        "samples": N_SAMPLES,
        "log_p_images": N_IMAGES,
        "runs": runs,
        "outliers": {name: outliers(name, sets) for name in ("mnist-mlp-2d", "mnist-mlp-20d")},
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }
    options.into.write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
