"""The named experiments of the book: data, model, objective and budget; weights with their cards.

`load` needs no network and no data set: weights, history and the encodings of the test set are
part of the package. `train` makes them again.
"""

__all__ = [
    "Codes",
    "Recipe",
    "Snapshots",
    "Trained",
    "available",
    "get",
    "is_trained",
    "load",
    "measure",
    "train",
]

import hashlib
import json
import os
import platform
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder

import vaebook
from vaebook import anchors, datasets, evaluate, objectives
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Autoencoder, Bernoulli, Classifier, Gaussian
from vaebook.objectives import Objective
from vaebook.training import History, fit, one_cycle

_WEIGHTS = Path(__file__).with_name("weights")

_CONVENTIONS = {
    Bernoulli: (
        "Trained on grey values in [0, 1] as the probabilities of Bernoulli pixels. elbo_grey is "
        "on the grey test images; all other metrics in nats are on the test images binarised once "
        "with seed 0 (each pixel drawn from Bernoulli(grey value)), as the literature reports "
        "them. The shipped encodings are of the grey test images."
    ),
    Gaussian: (
        "Pixels in [0, 1] under a Gaussian with one variance; densities, so nats may be positive. "
        "frobenius_pixels is the mean norm of an image minus its reconstruction from mu, "
        "frobenius_sampled that from one draw of q(z|x)."
    ),
    Classifier: (
        "Cross-entropy in nats an image. The shipped encodings are the features below the last "
        "linear layer."
    ),
}


@dataclass(frozen=True)
class Recipe:
    """All that decides a run.

    Attributes:
        name: as in `load(name)`.
        summary: one line.
        data: returns training and test set.
        model: builds the untrained model.
        objective: what is minimised.
        epochs: of training, at most; the weights with the lowest validation loss are kept.
        patience: epochs without a better validation loss after which training stops.
        learning_rate: peak of the one-cycle schedule.
        batch_size: images a step.
        seed: of initial weights, shuffling and noise.
        n_samples: importance samples for the card's log p(x); none where 0.
        n_codes: the first test images, whose encodings are shipped.
        noise: standard deviation of Gaussian pixel noise, drawn anew for every batch.
        keep_last: the last epoch's weights instead of the best, for an objective that moves.
        keep_steps: whether the history keeps each step, or its epochs only.
        snapshots: steps after which the codes of 500 test images are kept.
        shipped: whether the package holds the weights; `train` makes the others.
    """

    name: str
    summary: str
    data: Callable[[], tuple[ImageSet, ImageSet]]
    model: Callable[[], VAE | Autoencoder | Classifier]
    objective: Objective = objectives.elbo
    epochs: int = 30
    patience: int | None = None
    learning_rate: float = 2e-3
    batch_size: int = 128
    seed: int = 0
    n_samples: int = 5000
    n_codes: int = 10_000
    noise: float = 0.0
    keep_last: bool = False
    keep_steps: bool = True
    snapshots: tuple[int, ...] = ()
    shipped: bool = True


class Codes(NamedTuple):
    """Encodings of the test set: mu and logvar of q(z|x), [N, D], and labels, [N].

    An autoencoder's `logvar` is -inf: its codes have no spread. A classifier's codes are its
    features. Labels are 0 where the data has none.
    """

    mu: Tensor
    logvar: Tensor
    labels: Tensor


class Snapshots(NamedTuple):
    """Codes during training: after `steps` [S], `mu` [S, 500, D] of images with `labels` [500]."""

    steps: Tensor
    mu: Tensor
    labels: Tensor


class Trained(NamedTuple):
    """A trained model in eval mode, the history of its training, its card, its test encodings.

    `snapshots` is None where the recipe keeps none.
    """

    model: Any
    history: History
    card: dict[str, Any]
    codes: Codes
    snapshots: Snapshots | None


# ---------------------------------------------------------------------------------------------
# The registry


def _mnist() -> tuple[ImageSet, ImageSet]:
    return datasets.mnist(train=True), datasets.mnist(train=False)


def _fashion() -> tuple[ImageSet, ImageSet]:
    return datasets.fashion_mnist(train=True), datasets.fashion_mnist(train=False)


def _digits() -> tuple[ImageSet, ImageSet]:
    return datasets.digits().split(0.8, seed=0)


def _mlp_vae(latent_dim: int) -> VAE:
    return VAE(MLPEncoder(2 * latent_dim), MLPDecoder(latent_dim), latent_dim, Bernoulli())


def _mlp_autoencoder(latent_dim: int) -> Autoencoder:
    return Autoencoder(MLPEncoder(latent_dim), MLPDecoder(latent_dim), latent_dim, Bernoulli())


def _cnn_vae(latent_dim: int) -> VAE:
    encoder = ConvEncoder(2 * latent_dim, channels=(16, 32), hidden=128, image_size=28)
    decoder = ConvDecoder(latent_dim, channels=(16, 8), hidden=128, image_size=28)
    return VAE(encoder, decoder, latent_dim, Bernoulli())


def _small_vae(latent_dim: int) -> VAE:
    encoder, decoder = MLPEncoder(2 * latent_dim, (64,)), MLPDecoder(latent_dim, (64,))
    return VAE(encoder, decoder, latent_dim, Bernoulli())


def _classifier() -> Classifier:
    return Classifier(nn.Sequential(MLPEncoder(64, (128,)), nn.ReLU()), 64)


def _heatmaps() -> tuple[ImageSet, ImageSet]:
    return datasets.heatmaps().split(0.8, seed=0)


def _t_heatmaps(independent: bool) -> tuple[ImageSet, ImageSet]:
    return datasets.t_heatmaps(independent=independent).split(0.8, seed=0)


def _heatmap_vae(mode: Literal["fixed", "optimal"]) -> VAE:
    return VAE(ConvEncoder(6), ConvDecoder(3, hidden=32), 3, Gaussian(0.5, mode))


def _heatmap_autoencoder() -> Autoencoder:
    return Autoencoder(ConvEncoder(3), ConvDecoder(3, hidden=32), 3, Gaussian(0.5))


def _part_one() -> list[Recipe]:
    vae = "784-400-100-{0} MLP VAE on {1}, Bernoulli".format
    return [
        Recipe("mnist-mlp-2d", vae(2, "MNIST"), _mnist, partial(_mlp_vae, 2)),
        Recipe("mnist-mlp-8d", vae(8, "MNIST"), _mnist, partial(_mlp_vae, 8)),
        Recipe("mnist-mlp-20d", vae(20, "MNIST"), _mnist, partial(_mlp_vae, 20)),
        Recipe(
            "mnist-cnn-16d",
            "two conv + max-pool blocks, 16 latents, VAE on MNIST, Bernoulli",
            _mnist,
            partial(_cnn_vae, 16),
        ),
        Recipe(
            "mnist-ae-2d",
            "784-400-100-2 MLP autoencoder on MNIST, cross-entropy",
            _mnist,
            partial(_mlp_autoencoder, 2),
            objectives.reconstruction_only,
        ),
        *(
            Recipe(
                f"fashion-mlp-{dim}d",
                vae(dim, "Fashion-MNIST"),
                _fashion,
                partial(_mlp_vae, dim),
                n_samples=500,
                keep_steps=False,
            )
            for dim in (2, 20)
        ),
        Recipe(
            "digits-mlp-2d",
            vae(2, "UCI digits in MNIST's frame"),
            _digits,
            partial(_mlp_vae, 2),
            epochs=60,
            n_samples=100,
        ),
    ]


def _classes() -> list[Recipe]:
    # Narrow networks and large batches: what is asked of them is their spread over seeds.
    small = partial(Recipe, learning_rate=4e-3, batch_size=512, n_samples=0, keep_steps=False)
    vae = "784-64-{0} MLP VAE on {1}, Bernoulli".format
    return [
        *(
            small(
                f"{prefix}-small-8d-s{seed}",
                vae(8, title),
                data,
                partial(_small_vae, 8),
                seed=seed,
                n_codes=5000,
            )
            for prefix, title, data in (
                ("mnist", "MNIST", _mnist),
                ("fashion", "Fashion-MNIST", _fashion),
            )
            for seed in range(5)
        ),
        small(
            "mnist-small-8d-beta4-s0",
            vae(8, "MNIST") + ", beta = 4",
            _mnist,
            partial(_small_vae, 8),
            partial(objectives.elbo, beta=4.0),
            n_codes=5000,
        ),
        *(
            small(
                f"mnist-snapshots-{dim}d",
                vae(dim, "MNIST") + ", with snapshots of its codes",
                _mnist,
                partial(_small_vae, dim),
                batch_size=128,
                n_codes=500,
                keep_steps=True,
                # About as many to each phase of the KL as to the slow end.
                snapshots=(
                    0,
                    10,
                    20,
                    30,
                    40,
                    50,
                    75,
                    100,
                    150,
                    200,
                    300,
                    430,
                    600,
                    860,
                    1290,
                    2150,
                    3440,
                    5160,
                    8600,
                    12900,
                ),
            )
            for dim in (2, 3)
        ),
        Recipe(
            "mnist-classifier",
            "784-128-64-10 classifier on MNIST",
            _mnist,
            _classifier,
            objectives.cross_entropy,
            epochs=12,
            batch_size=256,
            n_codes=5000,
        ),
    ]


def _heatmap_study() -> list[Recipe]:
    models: list[tuple[str, str, Callable[[], VAE | Autoencoder], Objective]] = [
        (
            "vae-optimal",
            "VAE, optimal variance",
            partial(_heatmap_vae, "optimal"),
            objectives.elbo,
        ),
        ("vae-half", "VAE, variance 1/2", partial(_heatmap_vae, "fixed"), objectives.elbo),
        ("ae", "autoencoder", _heatmap_autoencoder, objectives.reconstruction_only),
    ]
    rule, coin = partial(_t_heatmaps, False), partial(_t_heatmaps, True)
    return [
        Recipe(
            f"{prefix}-{kind}{suffix}-s{seed}",
            f"{summary}, three conv + max-pool blocks, 3 latents, on {title}",
            data,
            model,
            objective,
            epochs=40 if prefix == "heatmap" else 25,
            patience=8,
            learning_rate=4e-3,
            seed=seed,
            n_samples=0,
            # The spread over seeds is in tables; models of all seeds would fill the package.
            shipped=seed == 0,
        )
        for prefix, suffix, title, data in (
            ("heatmap", "", "heatmaps", _heatmaps),
            ("t-heatmap", "", "t heatmaps", rule),
            ("t-heatmap", "-coin", "t heatmaps with df by a coin", coin),
        )
        for kind, summary, model, objective in models
        if prefix == "heatmap" or kind != "vae-half"
        for seed in range(5)
    ]


# Of the noisy heatmaps, in units of their noise's variance; and of MNIST, in units of 1/2, so that
# the loss is the squared error plus beta times the KL. Both run from codes that hold more than
# there is to know down to a collapse: half the largest eigenvalue of the images' covariance, the
# threshold of a linear VAE, is at about 2,600 and at 10.
HEATMAP_BETAS = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0, 10_000.0)
MNIST_BETAS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 30.0)


def _beta_heatmap_vae(likelihood: Callable[[], Gaussian]) -> VAE:
    return VAE(ConvEncoder(12), ConvDecoder(6, hidden=32), 6, likelihood())


def _beta_mnist_vae(likelihood: Callable[[], Gaussian]) -> VAE:
    return VAE(MLPEncoder(32, (32,)), MLPDecoder(16, (32,)), 16, likelihood())


def _beta_sweep() -> list[Recipe]:
    heatmap = partial(
        Recipe,
        data=_heatmaps,
        epochs=20,
        learning_rate=4e-3,
        n_samples=0,
        n_codes=500,
        keep_steps=False,
    )
    mnist = partial(
        Recipe,
        data=_mnist,
        epochs=10,
        learning_rate=4e-3,
        batch_size=512,
        n_samples=0,
        n_codes=400,
        keep_steps=False,
    )
    noisy = (
        "VAE, three conv + max-pool blocks, 6 latents, on heatmaps with pixel noise {0:g}, ".format
    )
    small = "784-32-16 MLP VAE on MNIST, Gaussian, "
    # All of a seed before the next one: a sweep that is stopped has whole curves.
    return [
        recipe
        for seed in range(3)
        for recipe in (
            *(
                heatmap(
                    f"beta-heatmap-b{beta:g}-s{seed}",
                    noisy(0.1) + f"variance 0.01, beta = {beta:g}",
                    model=partial(_beta_heatmap_vae, partial(Gaussian, 0.01)),
                    objective=partial(objectives.elbo, beta=beta),
                    seed=seed,
                    noise=0.1,
                    shipped=seed == 0,
                )
                for beta in HEATMAP_BETAS
            ),
            *(
                mnist(
                    f"beta-mnist-b{beta:g}-s{seed}",
                    small + f"variance 1/2, beta = {beta:g}",
                    model=partial(_beta_mnist_vae, partial(Gaussian, 0.5)),
                    objective=partial(objectives.elbo, beta=beta),
                    seed=seed,
                    shipped=seed == 0,
                )
                for beta in MNIST_BETAS
            ),
            *(
                recipe(
                    f"beta-{data}-{way}-s{seed}",
                    text + title,
                    model=partial(model, likelihood),
                    seed=seed,
                    noise=noise,
                    # A thermostat starts when the networks have learnt to draw.
                    epochs=recipe.keywords["epochs"] * (2 if way == "geco" else 1),
                    keep_last=way == "geco",
                    shipped=way == "optimal" and seed == 0,
                )
                for recipe, data, model, noise, text, tolerance in (
                    (heatmap, "heatmap", _beta_heatmap_vae, 0.1, noisy(0.1), 0.011),
                    (mnist, "mnist", _beta_mnist_vae, 0.0, small, 0.03),
                )
                for way, likelihood, title in (
                    # A learned logarithm moves by no more than the learning rate a step: it must
                    # not start too far away.
                    ("learned", partial(Gaussian, 0.02, "learned"), "learned variance"),
                    ("optimal", partial(Gaussian, 0.02, "optimal"), "optimal variance"),
                    (
                        "geco",
                        partial(Gaussian, tolerance, "constrained"),
                        f"mean squared error held at {tolerance}",
                    ),
                )
            ),
            *(
                heatmap(
                    f"beta-noise{noise:g}-s{seed}",
                    noisy(noise) + "optimal variance",
                    model=partial(_beta_heatmap_vae, partial(Gaussian, 0.02, "optimal")),
                    seed=seed,
                    noise=noise,
                    shipped=False,
                )
                for noise in (0.05, 0.3)
            ),
        )
    ]


def _plane_vae(inputs: int) -> VAE:
    return VAE(MLPEncoder(4, (64, 32)), MLPDecoder(inputs, (32, 64)), 2, Bernoulli())


def _drawn_score(images: Tensor) -> Tensor:
    return anchors.donutness(images, anchors.donut(), anchors.stick())


@cache
def _mean_templates() -> tuple[Tensor, Tensor]:
    training = _mnist()[0]
    assert training.labels is not None
    zero, one = (training.images[training.labels == c].mean((0, 1)) for c in (0, 1))
    return zero, one


def _mean_score(images: Tensor) -> Tensor:
    return anchors.donutness(images, *_mean_templates())


ANCHOR_RATES = (0.0, 3.0, 10.0)


def _anchored() -> list[Recipe]:
    small = partial(
        Recipe,
        data=_mnist,
        epochs=8,
        learning_rate=4e-3,
        batch_size=256,
        n_samples=0,
        n_codes=1500,
        keep_steps=False,
    )
    vae = "784-64-32-2 MLP VAE on MNIST, Bernoulli, "
    return [
        recipe
        for seed in range(5)
        for recipe in (
            *(
                small(
                    f"anchor-r{rate:g}-s{seed}",
                    vae + f"donut and stick anchored at rate {rate:g}",
                    model=partial(_plane_vae, 2),
                    objective=partial(objectives.anchored, rate=rate, score=_drawn_score),
                    seed=seed,
                    shipped=seed == 0 and rate != 3,
                )
                for rate in ANCHOR_RATES
            ),
            small(
                f"anchor-means-s{seed}",
                vae + "mean zero and mean one anchored at rate 10",
                model=partial(_plane_vae, 2),
                objective=partial(objectives.anchored, rate=10.0, score=_mean_score),
                seed=seed,
                shipped=seed == 0,
            ),
            small(
                f"anchor-conditional-s{seed}",
                vae + "conditional on the class",
                model=partial(_plane_vae, 12),
                objective=objectives.conditional_elbo,
                seed=seed,
                shipped=seed == 0,
            ),
        )
    ]


def _registry() -> dict[str, Recipe]:
    recipes = [*_part_one(), *_classes(), *_heatmap_study(), *_beta_sweep(), *_anchored()]
    return {recipe.name: recipe for recipe in recipes}


_RECIPES = _registry()


def available() -> list[str]:
    """Return the names of all recipes."""
    return list(_RECIPES)


def get(name: str) -> Recipe:
    """Return the recipe of a name.

    Raises:
        ValueError: when there is none, with the nearest names.
    """
    if name not in _RECIPES:
        near = get_close_matches(name, _RECIPES) or list(_RECIPES)
        raise ValueError(f"name must be a recipe, got {name!r}; there is {', '.join(near)}")
    return _RECIPES[name]


# ---------------------------------------------------------------------------------------------
# Weights and cards


def load(name: str, directory: str | os.PathLike[str] = _WEIGHTS) -> Trained:
    """Return a trained model with its history, card and test encodings; no network, no training.

    Args:
        name: one of :func:`available`.
        directory: where `train` wrote it; the package's own weights by default.

    Raises:
        ValueError: when the name is unknown or the weights don't match their card.
        FileNotFoundError: when the recipe hasn't been trained into that directory.
    """
    recipe = get(name)
    card_path = Path(directory) / f"{name}.json"
    path = Path(directory) / f"{name}.safetensors"
    for file in (card_path, path):
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} does not exist: train it with `python -m vaebook train {name}`"
            )
    card = json.loads(card_path.read_text())
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card["sha256"]:
        raise ValueError(
            f"{path} does not match its card: expected SHA-256 {card['sha256']}, found {found}"
        )
    groups: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in load_tensors(content).items():
        group, _, rest = key.partition(".")
        groups[group][rest] = tensor
    with torch.random.fork_rng():  # the weights that loading replaces are drawn first
        model = recipe.model()
    model.load_state_dict({key: tensor.float() for key, tensor in groups["model"].items()})
    history = History(
        {key: tensor.tolist() for key, tensor in groups["steps"].items()},
        {key: tensor.tolist() for key, tensor in groups["epochs"].items()},
        card["best_epoch"],
    )
    mu, labels = groups["codes"]["mu"].float(), groups["codes"]["labels"].long()
    logvar = groups["codes"].get("logvar", torch.full_like(mu, -torch.inf)).float()
    snapshots = None
    if recipe.snapshots:
        stored = groups["snapshots"]
        snapshots = Snapshots(stored["steps"].long(), stored["mu"].float(), labels[:500])
    return Trained(model.eval(), history, card, Codes(mu, logvar, labels), snapshots)


def is_trained(name: str, directory: str | os.PathLike[str] = _WEIGHTS) -> bool:
    """Tell whether a directory holds whole weights of a recipe as it stands now.

    A card that another version of the recipe left behind counts as none.

    Args:
        name: one of :func:`available`.
        directory: where `train` writes.

    Raises:
        ValueError: when the name is unknown.
    """
    recipe = get(name)
    path = Path(directory) / f"{name}.safetensors"
    try:
        card = json.loads(path.with_suffix(".json").read_text())
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        settings = card["budget"].items() >= _settings(recipe).items()
        return settings and card["summary"] == recipe.summary and card["sha256"] == found
    except (OSError, ValueError, KeyError):
        return False


def train(
    name: str,
    directory: str | os.PathLike[str] = "weights",
    *,
    n_samples: int | None = None,
    progress: bool = True,
) -> Trained:
    """Train a recipe, write weights and card into a directory, and load them from there.

    A run that was stopped goes on from `NAME.checkpoint` in that directory.

    Args:
        name: one of :func:`available`.
        directory: made if need be; the package's own weights stay as they are.
        n_samples: importance samples for log p(x); the recipe's by default.
        progress: show bars on standard error.

    Raises:
        ValueError: when the name is unknown or `n_samples` negative.
        DatasetUnavailable: when the data can't be had.
    """
    recipe = get(name)
    if n_samples is not None and n_samples < 0:
        raise ValueError(f"n_samples must be at least 0, got {n_samples}")
    directory = Path(directory)
    checkpoint = directory / f"{name}.checkpoint"
    everything, test = recipe.data()
    training, validation = everything.split(11 / 12, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model = recipe.model()
    steps = recipe.epochs * -(-len(training) // recipe.batch_size)
    camera = _Camera(recipe.snapshots, test.images[:500], directory / f"{name}.snapshots")
    camera(0, model)
    history = fit(
        model,
        recipe.objective,
        training,
        None if recipe.keep_last else validation,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        schedule=one_cycle(steps, recipe.learning_rate),
        patience=recipe.patience,
        transform=partial(_add_noise, recipe.noise) if recipe.noise else None,
        seed=recipe.seed,
        checkpoint=checkpoint,
        with_labels=_needs_labels(recipe),
        progress=progress,
        after_step=camera,
    )
    # The card is about the weights as they are stored.
    model.load_state_dict({key: value.half().float() for key, value in model.state_dict().items()})
    data = {
        "train": f"{everything.title}, {len(training):,} images",
        "validation": f"{len(validation):,} images of the training set",
        "test": f"{len(test):,} images",
        "train_sha256": everything.checksum,
        "test_sha256": test.checksum,
    }
    metrics = measure(name, model, test, n_samples, progress)
    codes = _encode(recipe, model, test)
    if not recipe.keep_steps:
        history.steps.clear()
    content = _pack(model, history, codes, camera)
    convention = _CONVENTIONS[type(getattr(model, "likelihood", model))]
    if recipe.noise:
        convention += (
            f" Pixel noise {recipe.noise:g} is added to each training batch, and once with seed 0 "
            "to the test images, which may then leave [0, 1]; the shipped encodings are of those. "
            "frobenius_clean is the mean norm of the image without noise minus the "
            "reconstruction from mu."
        )
    if _is_conditional(recipe):
        convention += " All metrics are of p(x|c), given the class."
    card = _card(recipe, history, content, data, metrics, convention)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.safetensors").write_bytes(content)
    (directory / f"{name}.json").write_text(json.dumps(card, indent=2) + "\n")
    checkpoint.unlink()
    camera.path.unlink(missing_ok=True)
    return load(name, directory)


def _add_noise(scale: float, images: Tensor, generator: torch.Generator) -> Tensor:
    return images + scale * torch.randn(images.shape, generator=generator)


def _noisy_test_images(recipe: Recipe, test: ImageSet) -> Tensor:
    if not recipe.noise:
        return test.images
    return _add_noise(recipe.noise, test.images, torch.Generator().manual_seed(0))


def _is_conditional(recipe: Recipe) -> bool:
    return recipe.objective is objectives.conditional_elbo


def _needs_labels(recipe: Recipe) -> bool:
    return _is_conditional(recipe) or recipe.objective is objectives.cross_entropy


class _Camera:
    """Keeps codes at given steps, in a file as well: a resumed run has those before its stop."""

    def __init__(self, steps: tuple[int, ...], images: Tensor, path: Path) -> None:
        self.steps, self.images, self.path = steps, images, path
        self.taken: dict[int, Tensor] = torch.load(path) if path.exists() else {}

    def __call__(self, step: int, model: Any) -> None:
        if step in self.steps and step not in self.taken:
            with torch.no_grad():
                self.taken[step] = model.encode(self.images)[0]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(self.taken, self.path)


def _pack(model: nn.Module, history: History, codes: Codes, camera: _Camera) -> bytes:
    # Half precision halves the package.
    groups = {
        "model": {key: value.half() for key, value in model.state_dict().items()},
        "steps": {key: torch.tensor(values) for key, values in history.steps.items()},
        "epochs": {key: torch.tensor(values) for key, values in history.epochs.items()},
        "codes": {"mu": codes.mu.half(), "labels": codes.labels.to(torch.uint8)},
    }
    if codes.logvar.isfinite().all():
        groups["codes"]["logvar"] = codes.logvar.half()
    if camera.taken:
        groups["snapshots"] = {
            "steps": torch.tensor(list(camera.taken)),
            "mu": torch.stack(list(camera.taken.values())).half(),
        }
    return save_tensors(
        {
            f"{group}.{key}": tensor.contiguous()
            for group, tensors in groups.items()
            for key, tensor in tensors.items()
        }
    )


def _settings(recipe: Recipe) -> dict[str, Any]:
    keys = ("epochs", "batch_size", "learning_rate", "seed")
    return {key: getattr(recipe, key) for key in keys}


def _card(
    recipe: Recipe,
    history: History,
    content: bytes,
    data: dict[str, str],
    metrics: dict[str, Any],
    convention: str,
) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "summary": recipe.summary,
        "data": data,
        "budget": _settings(recipe)
        | {
            "schedule": "one-cycle",
            "seconds": round(sum(history.epochs["seconds"]), 1),
            "threads": torch.get_num_threads(),
        },
        "best_epoch": history.best_epoch,
        "convention": convention,
        "metrics": metrics,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "vaebook": vaebook.__version__,
        },
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _encode(recipe: Recipe, model: Any, test: ImageSet) -> Codes:
    images = _noisy_test_images(recipe, test)[: recipe.n_codes]
    labels = torch.zeros(len(test)) if test.labels is None else test.labels
    labels = labels[: recipe.n_codes]
    if isinstance(model, VAE):
        return Codes(*evaluate.encode(model, images), labels)
    encode = getattr(model, "features" if isinstance(model, Classifier) else "encode")
    with torch.no_grad():
        mu = torch.cat([encode(batch) for batch in images.split(1000)])
    return Codes(mu, torch.full_like(mu, -torch.inf), labels)


def measure(
    name: str,
    model: VAE | Autoencoder | Classifier,
    test: ImageSet | None = None,
    n_samples: int | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure a recipe's model on its test set, in nats per image where not said otherwise.

    Args:
        name: of the recipe, for its test set.
        model: the trained model.
        test: the recipe's test set, when it is at hand already.
        n_samples: importance samples for log p(x), none where 0; the recipe's by default.
        progress: show a bar on standard error.

    Returns:
        Means over the test set, each in nats with its standard error over images.
    """
    recipe = get(name)
    n_samples = recipe.n_samples if n_samples is None else n_samples
    test = recipe.data()[1] if test is None else test
    if isinstance(model, Classifier):
        return _measure_classifier(model, test)
    if _is_conditional(recipe):
        return _measure_conditional(model, test)
    images = _noisy_test_images(recipe, test)
    frobenius = evaluate.reconstruction_errors(model, images).mean().item()
    metrics: dict[str, Any] = {"frobenius_pixels": round(frobenius, 4)}
    if not isinstance(model, VAE):
        return metrics
    mu, logvar = evaluate.encode(model, images)
    metrics["active_units"] = int(evaluate.active_units(mu).sum())
    generator = torch.Generator().manual_seed(0)
    if isinstance(model.likelihood, Gaussian):
        with torch.no_grad():
            decoded = model.decode(model.reparameterize(mu, logvar, generator))
        sampled = (decoded - images).flatten(1).norm(dim=1).mean().item()
        metrics["frobenius_sampled"] = round(sampled, 4)
        metrics["variance"] = round(model.likelihood.variance.item(), 8)
        if recipe.noise:
            with torch.no_grad():
                clean = (model.decode(mu) - test.images).flatten(1).norm(dim=1).mean().item()
            metrics["frobenius_clean"] = round(clean, 4)
    else:
        metrics["elbo_grey"] = _mean(evaluate.elbo(model, images, 10, generator).elbo)
        images = datasets.binarize(images, torch.Generator().manual_seed(0))
    bound = evaluate.elbo(model, images, 10, generator)
    metrics["elbo"] = _mean(bound.elbo)
    metrics["log_p_x_given_z"] = _mean(bound.log_likelihood)
    metrics["kl"] = _mean(bound.kl)
    if n_samples and model.latent_dim <= 2:
        metrics["log_p_grid"] = _mean(evaluate.log_likelihood_grid(model, images))
    if n_samples:
        estimate = evaluate.log_likelihood(model, images, n_samples, generator, progress)
        metrics["log_p_iw"] = _mean(estimate) | {"samples": n_samples}
    return metrics


@torch.no_grad()
def _measure_conditional(model: Any, test: ImageSet) -> dict[str, Any]:
    assert test.labels is not None
    mu, _ = evaluate.encode(model, test.images)
    decoded = model.decode(objectives.with_class(mu, test.labels))
    frobenius = (decoded - test.images).flatten(1).norm(dim=1).mean().item()
    images = datasets.binarize(test.images, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    draws = [
        objectives.conditional_elbo(model, images, labels=test.labels, generator=generator)
        for _ in range(10)
    ]
    likelihood = -torch.stack([terms["reconstruction"] for terms in draws]).mean(0)
    return {
        "frobenius_pixels": round(frobenius, 4),
        "active_units": int(evaluate.active_units(mu).sum()),
        "elbo": _mean(likelihood - draws[0]["kl"]),
        "log_p_x_given_z": _mean(likelihood),
        "kl": _mean(draws[0]["kl"]),
    }


@torch.no_grad()
def _measure_classifier(model: Classifier, test: ImageSet) -> dict[str, Any]:
    assert test.labels is not None
    loss = objectives.cross_entropy(model, test.images, labels=test.labels)["loss"]
    right = model(test.images).argmax(1) == test.labels
    return {"accuracy": round(right.double().mean().item(), 4), "cross_entropy": _mean(loss)}


def _mean(values: Tensor) -> dict[str, float]:
    error = values.std() / len(values) ** 0.5
    return {"nats": round(values.mean().item(), 3), "standard_error": round(error.item(), 3)}
