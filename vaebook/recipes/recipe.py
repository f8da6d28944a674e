"""A recipe: all that decides a run, as a value."""

__all__ = ["Data", "Measure", "Recipe"]

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Generator, nn

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.fingerprint import fingerprint
from vaebook.objectives import Objective, negative_elbo
from vaebook.recipes import measure
from vaebook.training import VERSION, Transform, one_cycle


class Data(NamedTuple):
    """Images that are loaded when they are needed.

    Attributes:
        load: returns training and test set.
        checksum: SHA-256 of both, so that nobody has to load them to know it.
    """

    load: Callable[[], tuple[ImageSet, ImageSet]]
    checksum: str


class Measure(Protocol):
    """What is measured of a trained model for its card, which quotes the docstring.

    `test` are the images as the transform has left them, `clean` those before it.
    """

    def __call__(
        self,
        model: Any,
        test: ImageSet,
        clean: ImageSet,
        *,
        n_samples: int,
        generator: Generator,
        progress: bool,
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Recipe:
    """All that decides a run, as a value: `train(recipe)`, `load(recipe)`.

    Attributes:
        name: what the files that `train` writes are called.
        data: training and test set, or :class:`Data`. A twelfth of the training set is held out
            for validation.
        model: builds the untrained model.
        objective: what is minimised.
        epochs: of training, at most; the weights with the lowest validation loss are kept.
        patience: epochs without a better validation loss after which training stops.
        learning_rate: peak of the schedule.
        schedule: maps the share of the training that is done to a factor of the rate.
        batch_size: images per step, at most.
        transform: applied to each training batch, and once, with seed 0, to the test images.
        seed: of initial weights, shuffling and noise.
        keep_last: the last epoch's weights instead of the best, for an objective that moves.
        snapshots: steps after which the codes of 500 test images are kept.
        measure: what the card says of the model, see :mod:`vaebook.recipes.measure`.
        n_samples: importance samples for the card's log p(x); none where 0.
        n_codes: how many of the first test images have their codes kept.
        keep_steps: whether the history keeps each step, or its epochs only.
        summary: one line.
        part: of the book, or whatever groups recipes in a list.
        tags: what tells it from its siblings, by name, such as beta and seed.

    Example:
        >>> from vaebook import datasets, models
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> def build():
        ...     return models.VAE(MLPEncoder(4), MLPDecoder(2), 2, models.Bernoulli())
        >>> digits = datasets.digits().split(0.8, seed=0)
        >>> one, two = Recipe("mine", digits, build), Recipe("mine", digits, build, epochs=5)
        >>> one.fingerprint == two.fingerprint
        False
    """

    name: str
    data: Data | tuple[ImageSet, ImageSet]
    model: Callable[[], Any]
    objective: Objective | Callable[..., Any] = negative_elbo
    epochs: int = 30
    patience: int | None = None
    learning_rate: float = 2e-3
    schedule: Callable[[float], float] | None = one_cycle
    batch_size: int = 128
    transform: Transform | None = None
    seed: int = 0
    keep_last: bool = False
    snapshots: tuple[int, ...] = ()
    measure: Measure = measure.bernoulli_vae
    n_samples: int = 0
    n_codes: int = 10_000
    keep_steps: bool = True
    summary: str = ""
    part: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or set(self.name) & set("/\\\0"):
            raise ValueError(f"name must be one that a file can have, got {self.name!r}")
        if not isinstance(self.data, Data) and not (
            isinstance(self.data, tuple) and [type(part) for part in self.data] == [ImageSet] * 2
        ):
            raise ValueError(
                f"data must be a pair of image sets, for training and test, got {self.data!r}"
            )
        if not callable(self.model) or isinstance(self.model, nn.Module):
            raise ValueError(
                f"model must be a function that builds the untrained model, got {self.model!r}"
            )
        for name in ("objective", "measure"):
            if not callable(getattr(self, name)):
                raise ValueError(f"{name} must be a function, got {getattr(self, name)!r}")
        for name in ("schedule", "transform"):
            if not (getattr(self, name) is None or callable(getattr(self, name))):
                raise ValueError(f"{name} must be a function, got {getattr(self, name)!r}")
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0), ("n_samples", 0)):
            _checks.count(getattr(self, name), name, least)
        _checks.count(self.n_codes, "n_codes")
        _checks.counts(self.snapshots, "snapshots", least=0)
        _checks.number(self.learning_rate, "learning_rate", 0, open=True)
        if self.patience is not None:
            _checks.count(self.patience, "patience")
        _checks.instance(self.tags, "tags", Mapping)

    def sets(self) -> tuple[ImageSet, ImageSet]:
        """Return training and test set.

        Raises:
            DatasetUnavailable: when they can't be had.
            ValueError: when they are not those of the checksum.
        """
        if not isinstance(self.data, Data):
            return self.data
        sets = self.data.load()
        found = checksum_of(*sets)
        if found != self.data.checksum:
            raise ValueError(
                f"the data of {self.name} must have the checksum {self.data.checksum}, "
                f"got {found}: they are not the images that the recipe is about"
            )
        return sets

    def start(self) -> Any:
        """Build the untrained model, of float32, with the weights of the seed.

        Torch's global random state is left as it was.
        """
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                return self.model()
        finally:
            torch.set_default_dtype(before)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that decides the result.

        That is, of every attribute but `name`, `summary`, `part`, `tags`, and `n_samples`, which
        only says how well log p(x) was estimated.
        """
        data = self.data.checksum if isinstance(self.data, Data) else checksum_of(*self.data)
        return fingerprint(
            loop=VERSION,
            data=data,
            builder=_own(self.model),
            model=self.start(),
            objective=self.objective,
            epochs=self.epochs,
            patience=self.patience,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            batch_size=self.batch_size,
            transform=self.transform,
            seed=self.seed,
            keep_last=self.keep_last,
            snapshots=self.snapshots,
            measure=self.measure,
            n_codes=self.n_codes,
            keep_steps=self.keep_steps,
        )


def checksum_of(train: ImageSet, test: ImageSet) -> str:
    """Return the checksum of a training and a test set together."""
    return hashlib.sha256(f"{train.checksum} {test.checksum}".encode()).hexdigest()


def innermost(function: Any) -> Any:
    """Return the function under partial applications."""
    while isinstance(function, partial):
        function = function.func
    return function


def _own(builder: Callable[[], nn.Module]) -> Callable[[], nn.Module] | None:
    """Return a reader's builder; one of this package is known by what it builds."""
    module = getattr(innermost(builder), "__module__", None) or ""
    return None if module.startswith("vaebook.") else builder
