"""The numbers by which claims about digits are decided, over twelve fresh seeds.

    make experiment NAME=digit_claims

A row is one training, or two of different seeds where a claim is about training again, of networks
that nothing else in the book uses: 784-128-64 and back, He's initial weights, one cycle of the
rate, 55,000 training images, and what is measured on the 10,000 test images.

- `vae`, `ae`, `vae20`: a VAE and an autoencoder of MNIST with two latents, a VAE with twenty;
- `fashion`: a VAE of Fashion-MNIST with two latents;
- `pca`: a control for which nothing is trained, two principal components of the pixels;
- `noise`: images and codes that are drawn at random.

What the numbers are, and what they decide, stands in `vaebook/tables/claims.toml`.
"""

import math
from functools import cache
from typing import Any, Protocol

import torch
from scipy import stats
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree, procrustes
from sklearn.decomposition import PCA
from torch import Generator, Tensor
from torch.nn import functional as F

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.latent import paths, samplers
from vaebook.measures import agreement
from vaebook.models import VAE, Autoencoder, Bernoulli, Classifier, Codes
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.models.priors import Mixture
from vaebook.objectives import negative_elbo, reconstruction_only
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

SEEDS = range(22, 34)
TWIN = 100  # a seed and its twin differ by this
HIDDEN, EPOCHS = (128, 64), 20
PAIRS, STEPS, DRAWS, NEIGHBOURS, GRID = 300, 32, 2000, 15, 20
JUDGE = "mnist-classifier"


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


# --- Images, and who judges them ---------------------------------------------------------------


@cache
def images(data: str = "mnist") -> tuple[ImageSet, ImageSet]:
    """The images that are trained on, and the test images."""
    load = datasets.fashion_mnist if data == "fashion" else datasets.mnist
    return load(train=True).split(11 / 12, seed=0)[0], load(train=False)


def labels_of(image_set: ImageSet) -> Tensor:
    assert image_set.labels is not None
    return image_set.labels


def judged(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p(class | image), [N, 10], and features, [N, 64], of the book's classifier."""
    model = recipes.load(JUDGE).model
    features = model.codes(pictures).mu
    return model.head(features).log_softmax(1), features


@cache
def true_features() -> Tensor:
    return judged(images()[1].images)[1]


def distances(pictures: Tensor, gallery: Tensor) -> Tensor:
    """Return how far each image is from the nearest of a gallery, [N], pixels."""
    parts = pictures.flatten(1).split(1000)
    return torch.cat([torch.cdist(part, gallery.flatten(1)).amin(1) for part in parts])


@cache
def usual_distance(share: float) -> float:
    """The distance to the first 5,000 test images within which this share of the others lies."""
    test = images()[1].images
    return distances(test[5000:], test[:5000]).quantile(share).item()


# --- Models ------------------------------------------------------------------------------------


class Model(Protocol):
    def codes(self, pictures: Tensor | ImageSet) -> Codes: ...
    def decode(self, z: Tensor) -> Tensor: ...


class Components:
    """Two principal components of the pixels, brought to unit variance."""

    def __init__(self) -> None:
        self.pca = PCA(2, whiten=True, random_state=0).fit(images()[0].images.flatten(1).numpy())

    def codes(self, pictures: Tensor | ImageSet) -> Codes:
        pixels = pictures.images if isinstance(pictures, ImageSet) else pictures
        return Codes(torch.from_numpy(self.pca.transform(pixels.flatten(1).numpy())).float())

    def decode(self, z: Tensor) -> Tensor:
        flat = torch.from_numpy(self.pca.inverse_transform(z.numpy())).float()
        return flat.clamp(0, 1).unflatten(1, (1, 28, 28))


def trained(kind: str, seed: int) -> VAE | Autoencoder:
    """Return a model trained from one seed of initial weights, batches and noise."""
    torch.manual_seed(seed)
    latent_dim, ae = 20 if kind == "vae20" else 2, kind == "ae"
    encoder = MLPEncoder(latent_dim if ae else 2 * latent_dim, HIDDEN)
    decoder = MLPDecoder(latent_dim, HIDDEN[::-1])
    model = (Autoencoder if ae else VAE)(encoder, decoder, latent_dim, Bernoulli())
    fit(
        model,
        reconstruction_only if ae else negative_elbo,
        images("fashion" if kind == "fashion" else "mnist")[0],
        epochs=EPOCHS,
        batch_size=256,
        learning_rate=4e-3,
        schedule=one_cycle,
        seed=seed,
        progress=False,
    )
    return model.requires_grad_(False)


# --- The plane ---------------------------------------------------------------------------------


def moved(model: Model, z: Tensor, share: float, seed: int) -> Tensor:
    """How much the images of codes change when these move by a share of their cloud, pixels."""
    step = torch.randn(z.shape, generator=seeded(seed)) * z.std(0)
    step = share * step * math.sqrt(z.shape[1]) / (step / z.std(0)).norm(dim=1, keepdim=True)
    return (model.decode(z + step) - model.decode(z)).flatten(1).norm(dim=1)


@cache
def pairs(data: str) -> Tensor:
    """Two test images of different classes, both of the first half, [2, PAIRS]."""
    labels = labels_of(images(data)[1])
    ends = torch.randint(5000, (2, 2 * PAIRS), generator=seeded(1))
    return ends[:, labels[ends[0]] != labels[ends[1]]][:, :PAIRS]


def lines(model: Model, z: Tensor, data: str) -> dict[str, float]:
    """Walk on straight lines between the codes of images of different classes."""
    test = images(data)[1].images
    start, end = z[pairs(data)]
    t = torch.linspace(0, 1, STEPS + 1)[:, None, None]
    walk = model.decode(torch.lerp(start, end, t).flatten(0, 1)).unflatten(0, (STEPS + 1, -1))
    change = walk.flatten(2).diff(dim=0).norm(dim=2)
    between = distances(walk[4:-4:4].flatten(0, 1), test[5000:])
    ends = distances(walk[[0, -1]].flatten(0, 1), test[5000:])
    largest = change.amax(0) / change.sum(0)
    return {
        "largest_step": 100 * largest.mean().item(),
        "beyond": (between.mean() / ends.mean()).item(),
    }


def near(model: Model, z: Tensor, test: ImageSet) -> dict[str, float]:
    """Compare each code with the nearest other one, and with a place close to it."""
    nearest = torch.from_numpy(KDTree(z.numpy()).query(z.numpy(), k=2)[1][:, 1])
    other = torch.randperm(len(z), generator=seeded(2))
    flat, labels = test.images.flatten(1), labels_of(test)
    draws = torch.randn(DRAWS, z.shape[1], generator=seeded(3))
    pictures = model.decode(draws).flatten(1)
    apart = (pictures - pictures.roll(1, 0)).norm(dim=1).median()
    change = moved(model, draws, 0.1, 4)
    response = moved(model, z[:DRAWS], 0.01, 5)
    return {
        "class": (labels[nearest] != labels).double().mean().item(),
        "picture": (
            (flat[nearest] - flat).norm(dim=1).median() / (flat[other] - flat).norm(dim=1).median()
        ).item(),
        "decoded": (change.median() / apart).item(),
        "decoded_95": (change.quantile(0.95) / apart).item(),
        "uneven": (response.quantile(0.99) / response.median()).item(),
    }


def class_means(values: Tensor, labels: Tensor) -> Tensor:
    return torch.stack([values[labels == c].mean(0) for c in range(10)])


def pieces(z: Tensor) -> int:
    """Count the pieces that hold a hundredth of the codes or more.

    Two codes are joined when each is among the ten nearest of the other.
    """
    n, k = len(z), 10
    found = KDTree(z.numpy()).query(z.numpy(), k=k + 1)[1][:, 1:]
    rows = torch.arange(n).repeat_interleave(k).numpy()
    graph = coo_matrix((torch.ones(n * k).numpy(), (rows, found.ravel())), shape=(n, n)).tocsr()
    graph = graph.multiply(graph.T)
    sizes = torch.bincount(torch.from_numpy(connected_components(graph, directed=False)[1]).long())
    return int((sizes >= n / 100).sum())


def clusters(z: Tensor, test: ImageSet) -> dict[str, float]:
    """Say how codes lie together by class, and the classes by their images."""
    labels = labels_of(test)
    found = torch.from_numpy(KDTree(z.numpy()).query(z.numpy(), k=NEIGHBOURS + 1)[1][:, 1:])
    votes = labels[found].mode(1).values
    between = [
        torch.pdist(class_means(values, labels)).numpy() for values in (z, test.images.flatten(1))
    ]
    return {
        "knn": (votes == labels).double().mean().item(),
        "similarity": float(stats.spearmanr(*between)[0]),
        "pieces": pieces(z),
    }


# --- What is drawn -----------------------------------------------------------------------------


def drawn(model: Model, codes: Codes) -> dict[str, float]:
    """Judge decoded draws of N(0, I), and of codes of training images."""
    n, latent_dim = codes.mu.shape
    draws = {
        "prior": torch.randn(n, latent_dim, generator=seeded(6)),
        "own": model.codes(images()[0][:n]).sample(seeded(7)),
    }
    found: dict[str, float] = {}
    for name, z in draws.items():
        pictures = model.decode(z)
        told, features = judged(pictures)
        gap = distances(pictures[:DRAWS], images()[1].images[:5000])
        found[f"sure_{name}"] = (told.amax(1) > math.log(0.9)).double().mean().item()
        found[f"near_{name}"] = (gap < usual_distance(0.95)).double().mean().item()
        found[f"frechet_{name}"] = agreement.frechet_distance(features, true_features())
    return found | {"ratio": found["frechet_own"] / found["frechet_prior"]}


def reconstructed(model: Model, codes: Codes, test: ImageSet) -> dict[str, float]:
    pictures = model.decode(codes.mu)
    kept = judged(pictures)[0].argmax(1) == labels_of(test)
    return {
        "error": (pictures - test.images).flatten(1).norm(dim=1).mean().item(),
        "kept": kept.double().mean().item(),
    }


# --- Posteriors --------------------------------------------------------------------------------


def log_density(z: Tensor, codes: Codes) -> Tensor:
    assert codes.logvar is not None
    mixture = Mixture(codes.mu, codes.logvar)
    return torch.cat([mixture.log_prob(part) for part in z.split(100)])


def classes(model: VAE, codes: Codes, train: ImageSet) -> dict[str, float]:
    """The divergence from N(0, I) of the mixtures of q(z|x), of each class and of all, nats.

    The mixtures are of the training images, the draws that they are tried on of the test images.
    """
    assert codes.labels is not None
    own, test = model.codes(train), codes[:DRAWS]
    z = test.sample(seeded(8))
    log_prior = model.prior.log_prob(z)
    assert own.labels is not None
    assert test.labels is not None
    each = []
    for c in range(10):
        mine = test.labels == c
        each.append((log_density(z[mine], own[own.labels == c]) - log_prior[mine]).mean().item())
    whole = (log_density(z, own) - log_prior).mean().item()
    mean = sum(each) / 10
    return {"nearest": min(each), "mean": mean, "whole": whole, "ratio": whole / mean}


def ambiguity(codes: Codes, test: ImageSet) -> dict[str, float]:
    """Rank correlations of the volume of q(z|x) with how ambiguous an image is to the judge."""
    assert codes.logvar is not None
    volume, told = codes.logvar.sum(1), judged(test.images)[0]
    entropy = -(told.exp() * told).sum(1)
    three = labels_of(test) == 3
    return {
        "entropy": float(stats.spearmanr(volume, entropy)[0]),
        "eight": float(stats.spearmanr(volume[three], told[three, 8])[0]),
    }


def told_apart(train: ImageSet, seed: int) -> Classifier:
    """Return a classifier whose last layer but one has two units, trained for five epochs."""
    torch.manual_seed(seed)
    model = Classifier(MLPEncoder(2, HIDDEN), 2)

    def cross_entropy(model: Classifier, batch: ImageSet, **_: Any) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(model(batch.images), labels_of(batch), reduction="none")}

    fit(model, cross_entropy, train, epochs=5, batch_size=256, seed=seed, progress=False)
    return model.requires_grad_(False)


def alike(z: Tensor, twin: Tensor, features: Tensor) -> dict[str, float]:
    """How much more a VAE's plane is like a classifier's than like another VAE's."""
    to_twin = agreement.compare(z, twin, generator=seeded(9))
    to_classifier = agreement.compare(z, features, generator=seeded(9))
    return {
        "neighbours": to_classifier.neighbors - to_twin.neighbors,
        "distances": to_classifier.distances - to_twin.distances,
        "neighbours_of_twin": to_twin.neighbors,
        "distances_of_twin": to_twin.distances,
    }


def nearest_class(means: Tensor) -> Tensor:
    return (torch.cdist(means, means) + 1e6 * torch.eye(10)).argmin(1)


def told_on_the_grid(model: Model) -> Tensor:
    """Return the class that is seen at each place of a grid even under N(0, I), [GRID ** 2]."""
    return judged(model.decode(paths.quantile_grid(GRID).reshape(-1, 2)))[0].argmax(1)


def again(model: VAE, twin: VAE, z: Tensor, test: ImageSet) -> dict[str, float]:
    """Compare the plane of a model with that of its twin, turned, mirrored and scaled at best."""
    own, other = (class_means(m, labels_of(test)) for m in (z, twin.codes(test).mu))
    changed = (nearest_class(own) != nearest_class(other)).double().mean().item()
    cells = (told_on_the_grid(model) != told_on_the_grid(twin)).double().mean().item()
    rest = procrustes(own.numpy(), other.numpy())[2]
    return {"rest": float(rest), "nearest": changed, "cells": cells}


def chains(model: VAE, codes: Codes, test: ImageSet) -> dict[str, Any]:
    """Run pCN and a random walk with the same step on p(z|x) of twenty test images."""
    x = datasets.binarize(test.images[:20], generator=seeded(10))

    def log_likelihood(z: Tensor) -> Tensor:
        return model.log_prob(x, z)

    def log_posterior(z: Tensor) -> Tensor:
        return model.log_prob(x, z) + model.prior.log_prob(z)

    start, found = codes.mu[:20], {}
    for name, step in (("short", 0.1), ("long", 0.5)):
        runs = {
            "pcn": samplers.pcn(
                log_likelihood, start, 1000, step, generator=seeded(11), progress=False
            ),
            "walk": samplers.random_walk(
                log_posterior, start, 1000, step, generator=seeded(11), progress=False
            ),
        }
        rates = {way: run.acceptance_rate.mean().item() for way, run in runs.items()}
        found[name] = rates | {"share": rates["walk"] / rates["pcn"]}
        chain = runs["pcn"]
    stayed = chain.positions[~chain.accepted][:DRAWS]
    means = model.decode(stayed)
    first, second = (datasets.binarize(means, generator=seeded(s)) for s in (12, 13))
    return found | {
        "terms": terms(log_likelihood, log_posterior, start),
        "repeats_mean": 0.0 if torch.equal(means, model.decode(stayed)) else 1.0,
        "repeats_draw": (first != second).flatten(1).any(1).double().mean().item(),
    }


def terms(log_likelihood: Any, log_posterior: Any, z: Tensor) -> float:
    """How far Hastings's ratio with all its terms is from that of the likelihoods alone, nats."""
    step, z = 0.5, z.double()
    root = math.sqrt(1 - step**2)
    new = root * z + step * torch.randn(z.shape, generator=seeded(14), dtype=z.dtype)

    def log_q(of: Tensor, given: Tensor) -> Tensor:
        return -0.5 * ((of - root * given) / step).square().sum(1)

    def target(z: Tensor) -> Tensor:
        prior = -0.5 * z.square().sum(1)
        return log_likelihood(z.float()).double() + prior

    whole = target(new) - target(z) + log_q(z, new) - log_q(new, z)
    alone = log_likelihood(new.float()).double() - log_likelihood(z.float()).double()
    return (whole - alone).abs().max().item()


# --- Rows --------------------------------------------------------------------------------------


def plane(kind: str, seed: int) -> dict[str, Any]:
    """Measure a model of digits or clothes, or the components."""
    train, test = images("fashion" if kind == "fashion" else "mnist")
    model: Any = Components() if kind == "pca" else trained(kind, seed)
    codes = model.codes(test)
    z = codes.mu
    found: dict[str, Any] = {
        "lines": lines(model, z, "fashion" if kind == "fashion" else "mnist"),
        "near": near(model, z, test),
        "clusters": clusters(z, test),
    }
    if kind != "fashion":
        found["drawn"] = drawn(model, codes)
        found["reconstructed"] = reconstructed(model, codes, test)
    if kind in ("vae", "fashion"):
        found["classes"] = classes(model, codes, train)
    if kind in ("vae", "vae20"):
        found["chains"] = chains(model, codes, test)
        found["variance"] = ambiguity(codes, test)
    if kind == "vae":
        twin = trained(kind, seed + TWIN)
        assert isinstance(twin, VAE)
        found["again"] = again(model, twin, z, test)
        features = told_apart(train, seed).codes(test.images).mu
        found["alike"] = alike(z, twin.codes(test).mu, features)
    return found


def noise(seed: int) -> dict[str, Any]:
    """Draw images pixel by pixel: evenly, and as often as in the data; and codes of N(0, I)."""
    test = images()[1].images
    generator = seeded(seed)
    rows = torch.argsort(torch.rand(5000, 784, generator=generator), 0)[:DRAWS]
    draws = {
        "uniform": torch.rand(DRAWS, 1, 28, 28, generator=generator),
        "marginals": test[5000:].flatten(1).gather(0, rows).unflatten(1, (1, 28, 28)),
    }
    like = {
        name: (distances(d, test[:5000]) < usual_distance(0.999)).double().mean().item()
        for name, d in draws.items()
    }
    sure = (judged(draws["uniform"])[0].amax(1) > math.log(0.9)).double().mean().item()
    start, end = test[pairs("mnist")]
    blends = [torch.lerp(start, end, t) for t in (0.25, 0.5, 0.75)]
    beyond = distances(torch.cat(blends), test[5000:]).mean()
    ends = distances(torch.cat([start, end]), test[5000:]).mean()
    return {
        "like": like,
        "drawn": {"sure_prior": sure},
        "lines": {"beyond": (beyond / ends).item()},
        "clusters": {"pieces": pieces(torch.randn(10_000, 2, generator=generator))},
    }


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return float(f"{value:.6g}")


def row(kind: str, seed: int) -> dict[str, Any]:
    """Return all numbers of a kind and a seed."""
    return rounded(noise(seed) if kind == "noise" else plane(kind, seed))


def judge_used(kind: str, seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.get(JUDGE).fingerprint]


KINDS = ("vae", "ae", "vae20", "fashion", "noise")

digit_claims = Experiment(
    "digit_claims",
    row,
    [{"kind": kind, "seed": seed} for seed in SEEDS for kind in KINDS]
    + [{"kind": "pca", "seed": SEEDS[0]}],
    uses=judge_used,
)
