"""From a recipe to weights and a card."""

__all__ = ["evaluate", "train"]

import inspect
import math
import os
import platform
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

import vaebook
from vaebook import _checks, _files
from vaebook.datasets import ImageSet
from vaebook.recipes.recipe import Recipe, innermost
from vaebook.recipes.registry import get
from vaebook.recipes.weights import Trained, halved, is_trained, load, write
from vaebook.training import Recorder, fit

_PHOTOGRAPHED = 500  # test images whose codes the snapshots keep


def train(
    recipe: str | Recipe,
    directory: str | os.PathLike[str] = "weights",
    *,
    n_samples: int | None = None,
    progress: bool = True,
) -> Trained:
    """Train a recipe, write weights and card into a directory, and load them from there.

    It runs on the CPU, where a recipe gives the same bits again. A run that was stopped goes on
    from `NAME.checkpoint` in that directory, and weights of the same fingerprint that are there
    already are loaded as they are.

    Args:
        recipe: the name of one of the book's, or a recipe of one's own.
        directory: made if need be; the package's own weights stay as they are.
        n_samples: importance samples for log p(x); the recipe's by default.
        progress: show bars on standard error.

    Raises:
        ValueError: when the name is unknown, `n_samples` is negative, or the checkpoint is
            damaged or of another run.
        OSError: when nothing can be written into the directory.
        DatasetUnavailable: when the data can't be had.
        KeyboardInterrupt: when it is stopped; the checkpoint keeps the last whole epoch.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from vaebook import datasets, models
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> def build():
        ...     networks = MLPEncoder(4, (16,)), MLPDecoder(2, (16,))
        ...     return models.VAE(*networks, 2, models.Bernoulli())
        >>> sets = datasets.digits().split(0.8, seed=0)
        >>> recipe = Recipe("mine", sets, build, epochs=2)
        >>> with TemporaryDirectory() as folder:
        ...     trained = train(recipe, folder, progress=False)
        >>> len(trained.history.epochs["loss"]), len(trained.codes)
        (2, 359)
    """
    recipe = get(recipe)
    n_samples = recipe.n_samples if n_samples is None else n_samples
    _checks.count(n_samples, "n_samples", 0)
    directory = _checks.path(directory, "directory")
    # Whoever asks for a model that another process is at waits for it.
    with _files.lock(directory / recipe.name):
        if not is_trained(recipe, directory):
            _train(recipe, directory, n_samples, progress)
    return load(recipe, directory)


def _train(recipe: Recipe, directory: Path, n_samples: int, progress: bool) -> None:
    checkpoint = directory / f"{recipe.name}.checkpoint"

    everything, test = recipe.sets()
    training, validation = everything.split(11 / 12, seed=0)
    _check_snapshots(recipe, len(training))
    camera = Recorder(partial(_photograph, test[:_PHOTOGRAPHED]), recipe.snapshots)
    model = recipe.start()
    history = fit(
        model,
        recipe.objective,
        training,
        None if recipe.keep_last else validation,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        schedule=recipe.schedule,
        patience=recipe.patience,
        transform=recipe.transform,
        seed=recipe.seed,
        checkpoint=checkpoint,
        observers=[camera],
        progress=progress,
    )
    if history.interrupted:
        raise KeyboardInterrupt

    # The card is about the weights as they are stored.
    model.load_state_dict(halved(model.state_dict()))
    seconds = history.epochs.pop("seconds")
    if not recipe.keep_steps:
        history.steps.clear()
    card = {
        "data": {
            "train": f"{everything.title}, {len(training):,} images",
            "validation": f"{len(validation):,} images of the training set",
            "test": f"{len(test):,} images",
        },
        "budget": {
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "learning_rate": recipe.learning_rate,
            "schedule": getattr(innermost(recipe.schedule), "__name__", str(recipe.schedule)),
            "seed": recipe.seed,
            "seconds": round(sum(seconds), 3),
            "threads": torch.get_num_threads(),
        },
        "best_epoch": history.best_epoch,
        "convention": " ".join((inspect.getdoc(innermost(recipe.measure)) or "").split()),
        "metrics": _measure(recipe, model, test, n_samples, progress),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "vaebook": vaebook.__version__,
        },
    }
    codes = model.codes(_transformed(recipe, test)[: recipe.n_codes])
    write(recipe, directory, model, history, codes, camera.values, card)
    checkpoint.unlink(missing_ok=True)


def evaluate(
    recipe: str | Recipe, model: Any, *, n_samples: int | None = None, progress: bool = True
) -> dict[str, Any]:
    """Measure a recipe's model on its test set once more, as its card does.

    Args:
        recipe: a name or a recipe.
        model: the trained model.
        n_samples: importance samples for log p(x), none where 0; the recipe's by default.
        progress: show a bar on standard error.

    Returns:
        The measures over the test set by their names; what is in nats as mean and standard error
        over images, what is not, such as `active_units`, as a number.

    Example:
        >>> from vaebook import datasets, models
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> def build():
        ...     networks = MLPEncoder(4, (16,)), MLPDecoder(2, (16,))
        ...     return models.VAE(*networks, 2, models.Bernoulli())
        >>> recipe = Recipe("mine", datasets.digits().split(0.8, seed=0), build)
        >>> sorted(evaluate(recipe, build(), progress=False))[:3]
        ['active_units', 'elbo', 'elbo_grey']
    """
    recipe = get(recipe)
    n_samples = recipe.n_samples if n_samples is None else n_samples
    _checks.count(n_samples, "n_samples", 0)
    _checks.instance(model, "model", type(recipe.start()))
    return _measure(recipe, model, recipe.sets()[1], n_samples, progress)


def _measure(
    recipe: Recipe, model: Any, test: ImageSet, n_samples: int, progress: bool
) -> dict[str, Any]:
    return recipe.measure(
        model,
        _transformed(recipe, test),
        test,
        n_samples=n_samples,
        generator=Generator().manual_seed(0),
        progress=progress,
    )


def _transformed(recipe: Recipe, test: ImageSet) -> ImageSet:
    if recipe.transform is None:
        return test
    generator = Generator().manual_seed(0)
    return test.with_images(recipe.transform(test.images, generator=generator))


def _photograph(images: ImageSet, model: Any) -> Tensor:
    return model.codes(images).mu


def _check_snapshots(recipe: Recipe, n_images: int) -> None:
    steps = recipe.epochs * math.ceil(n_images / recipe.batch_size)
    late = [step for step in recipe.snapshots if step > steps]
    if late:
        raise ValueError(f"snapshots must be among the {steps} steps of {recipe.name}, got {late}")
