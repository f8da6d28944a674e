"""The one training loop of the book, with what makes a long run safe: history, resume, refusal."""

__all__ = [
    "History",
    "Observer",
    "Recorder",
    "StatefulObserver",
    "TrainingDiverged",
    "Transform",
    "fit",
    "one_cycle",
]

import hashlib
import io
import math
import os
import pickle
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate

from vaebook import _checks, _files, _progress
from vaebook.datasets import ImageSet
from vaebook.fingerprint import fingerprint
from vaebook.objectives import Objective

# Raised when the loop below changes a result.
VERSION = 2

_MAGIC = b"vaebook checkpoint 2\n"
_TIDY = 256  # steps after which tiny moments are set to zero


class Transform(Protocol):
    """Whatever changes a batch of images [N, C, H, W] before the model sees it."""

    def __call__(self, images: Tensor, *, generator: Generator) -> Tensor: ...


class TrainingDiverged(ArithmeticError):
    """The loss or a weight became NaN or infinite; `history` holds what came before."""

    def __init__(self, message: str, history: "History") -> None:
        super().__init__(message)
        self.history = history


@dataclass
class History:
    """What a run recorded.

    Attributes:
        steps: each term of the objective by name, one mean over the batch per step, nats per
            image.
        epochs: the same averaged over the images of the epoch, `validation_` terms where there is
            a validation set, `learning_rate` at the end of it, and the `seconds` of training.
        best_epoch: the epoch, from 0, whose weights were kept; -1 before the first is done.
        interrupted: whether Ctrl-C ended the run.
    """

    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    epochs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    best_epoch: int = -1
    interrupted: bool = False

    def __str__(self) -> str:
        done = len(self.epochs.get("loss", []))
        if not done:
            return f"no epoch done, {len(self.steps.get('loss', []))} steps"
        terms = ", ".join(
            f"{name} {values[self.best_epoch]:.2f}"
            for name, values in self.epochs.items()
            if name not in ("seconds", "learning_rate")
        )
        taken = f" in {sum(self.epochs['seconds']):.1f} s" if "seconds" in self.epochs else ""
        return f"{done} epochs{taken}: {terms}"


# May look on: called before the first step with 0, then after each with its number.
Observer = Callable[[int, Any], None]


@runtime_checkable
class StatefulObserver(Protocol):
    """An observer whose state lives in the checkpoint: a resumed run has what came before."""

    def __call__(self, step: int, model: Any) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint is to keep."""
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what the checkpoint has kept."""


class Recorder:
    """An observer that keeps what a function says of the model after given steps.

    Args:
        measure: maps the model to tensors, numbers, or mappings of them.
        steps: those after which it is asked; 0 is before the first.

    Attributes:
        values: what it said, by step.

    Raises:
        ValueError: when a step is no whole number, or, on resuming, when the checkpoint is that
            of a recorder of something else.

    Example:
        >>> recorder = Recorder(lambda model: model.weight.norm().item(), [0, 100])
        >>> recorder(0, nn.Linear(2, 1))
        >>> list(recorder.values)
        [0]
    """

    def __init__(self, measure: Callable[[Any], Any], steps: Sequence[int]) -> None:
        if not callable(measure):
            raise ValueError(f"measure must be a function of the model, got {measure!r}")
        _checks.counts(steps, "steps", least=0)
        self.measure = measure
        self.steps = frozenset(steps)
        self.values: dict[int, Any] = {}

    def __call__(self, step: int, model: Any) -> None:
        if step in self.steps:
            self.values[step] = self.measure(model)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what is recorded, and when."""
        return fingerprint(measure=self.measure, steps=sorted(self.steps))

    def state_dict(self) -> dict[str, Any]:
        """Return the values so far."""
        return {"fingerprint": self.fingerprint, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the earlier values; refuse those of another recorder."""
        if state.get("fingerprint") != self.fingerprint:
            raise ValueError("it was recorded by something else, or after other steps")
        self.values = state["values"]


def one_cycle(progress: float) -> float:
    """Return the share of the peak rate: from 1/25 up over 30 % of the steps, then to almost 0.

    Both ways are half cosines. With a peak of 5e-3, ten epochs on MNIST reach a better bound than
    twenty at a constant 1e-3, by 0.1 to 1.8 nats (784-400-100-D networks, D of 2 and of 20,
    three seeds each, `benchmarks/README.md`).

    Args:
        progress: share of the training that is done, in [0, 1].

    Source:
        Super-Convergence (Smith and Topin, 2018) | https://arxiv.org/abs/1708.07120; shares as in
        torch's `OneCycleLR`.

    Example:
        >>> [round(one_cycle(progress), 6) for progress in (0.0, 0.3, 1.0)]
        [0.04, 1.0, 4e-06]
    """
    _checks.number(progress, "progress", 0, 1)
    first, last, turn = 1 / 25, 1 / 250_000, 0.3
    if progress <= turn:
        start, end, share = first, 1.0, progress / turn
    else:
        start, end, share = 1.0, last, (progress - turn) / (1 - turn)
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def fit(
    model: nn.Module,
    objective: Objective | Callable[..., dict[str, Tensor]],
    train: ImageSet | Dataset[Any],
    validation: ImageSet | None = None,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    schedule: Callable[[float], float] | None = None,
    patience: int | None = None,
    transform: Transform | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    workers: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    observers: Sequence[Observer] = (),
    progress: bool = True,
) -> History:
    """Minimise an objective with Adam, and leave the best weights in the model, in eval mode.

    The best weights have the lowest validation loss; without a validation set they are the last.
    Seeded generators shuffle, transform and draw the latent noise, so that a run repeats itself.

    Interrupted (Ctrl-C), it warns and returns the history so far, with the best weights in place.

    Args:
        model: trained in place.
        objective: maps a model and a batch to named terms, see :mod:`vaebook.objectives`.
        train: an image set, which is kept in memory as a whole; or any torch `Dataset` of images
            [C, H, W], alone or in pairs (image, label), which may be larger than memory.
        validation: evaluated after each epoch, as at the end of training (`progress` 1).
        epochs: at most.
        batch_size: images per step, at most; an epoch is cut into parts that differ by one
            image at most.
        learning_rate: of Adam.
        schedule: maps the share of the training that is done to a factor of the rate, such as
            :func:`one_cycle`; None keeps the rate.
        patience: stop after so many epochs without a better validation loss; None never does.
        transform: applied to each batch of images, e.g. :func:`vaebook.datasets.binarize`.
        seed: of the generators; initial weights are the caller's.
        device: "cpu", "cuda", "mps", or "auto" for the fastest that is there; the model moves
            there and stays. None trains where the model is.
        workers: processes that read a `Dataset`; of no effect on an image set.
        checkpoint: file written after each epoch; where it exists already the run goes on from
            it, and ends with the same bits as one that was never stopped. One of another run is
            refused; a `Dataset` is known by its class and length only. Deleting it is left to the
            caller.
        observers: called with 0 and the model before the first step, then after each with its
            number; what has `state_dict` and `load_state_dict`, as :class:`Recorder` has, is kept
            in the checkpoint.
        progress: show a bar on standard error, unless `TQDM_DISABLE` is set, and print one line
            at the end.

    Returns:
        The history of the run, including what came before it was interrupted.

    Raises:
        TrainingDiverged: when the loss or a weight is NaN or infinite; the best weights are in
            place, and the checkpoint stays the last good one.
        ValueError: when an argument is out of range, the data doesn't suit the likelihood, or the
            checkpoint is damaged or of another run.
        OSError: when the checkpoint can't be written; the last one stays.

    Example:
        >>> from vaebook import datasets, models, objectives
        >>> from vaebook.models.networks import MLPDecoder, MLPEncoder
        >>> model = models.VAE(MLPEncoder(4), MLPDecoder(2), 2, models.Bernoulli())
        >>> digits = datasets.digits()[:256]
        >>> history = fit(model, objectives.negative_elbo, digits, epochs=2, progress=False)
        >>> len(history.epochs["loss"]), len(history.steps["loss"])
        (2, 4)
    """
    _check_settings(epochs, batch_size, learning_rate, patience, seed, workers)
    _check_functions(objective, schedule, transform, observers)
    place = _place(device, model)
    source = _Source(train, place, batch_size, workers)
    held_out = _held_out(validation, patience, place)
    likelihood = getattr(model, "likelihood", None)
    if likelihood is not None:
        source.check(likelihood)
        if held_out is not None:
            likelihood.check(held_out)
    model.to(place)
    run = _Run(
        model,
        objective,
        transform,
        schedule,
        _adam(model, learning_rate),
        Generator().manual_seed(seed),
        Generator(place).manual_seed(seed + 1),
        observers,
        total=epochs * source.batches,
    )
    if checkpoint is not None:
        run.path = _checks.path(checkpoint, "checkpoint")
        run.fingerprint = fingerprint(
            loop=VERSION,
            model=model,
            objective=objective,
            train=source.description,
            validation=validation,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=schedule,
            patience=patience,
            transform=transform,
            seed=seed,
            device=place.type,
        )
        run.resume(run.path)

    try:
        with _progress.bar(progress, total=epochs, initial=run.epoch, unit="epoch") as bar:
            if run.epoch == 0:
                run.observe(0)
            while run.epoch < epochs and not run.exhausted(patience):
                start = time.perf_counter()
                row = run.train_epoch(source)
                if held_out is not None:
                    row |= run.validate(held_out)
                run.finish_epoch(row | {"seconds": time.perf_counter() - start})
                bar.update()
                bar.set_postfix(loss=f"{row['loss']:.2f}")
    except KeyboardInterrupt:
        run.history.interrupted = True
        kept = f"epoch {run.history.best_epoch}" if run.best else "this moment"
        warnings.warn(
            f"interrupted after {run.epoch} epochs: the weights of {kept} are in the model",
            stacklevel=2,
        )
    finally:
        if run.best:
            model.load_state_dict(run.best)
        model.eval()
    if progress:
        print(run.history)
    return run.history


def _check_settings(
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int | None,
    seed: int,
    workers: int,
) -> None:
    _checks.count(epochs, "epochs")
    _checks.count(batch_size, "batch_size")
    _checks.number(learning_rate, "learning_rate", 0, open=True)
    if patience is not None:
        _checks.count(patience, "patience")
    _checks.count(seed, "seed", 0)
    _checks.count(workers, "workers", 0)


def _check_functions(
    objective: object, schedule: object, transform: object, observers: object
) -> None:
    for name, function in (
        ("objective", objective),
        ("schedule", schedule),
        ("transform", transform),
    ):
        if not callable(function) and (function is not None or name == "objective"):
            raise ValueError(f"{name} must be a function, got {function!r}")
    if not isinstance(observers, Sequence) or not all(map(callable, observers)):
        raise ValueError(f"observers must be a list of functions, got {observers!r}")


def _place(device: str | torch.device | None, model: nn.Module) -> torch.device:
    """Return the device to train on."""
    parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if parameter is None or parameter.dtype not in (torch.float32, torch.float64):
        found = type(model).__name__ if parameter is None else parameter.dtype
        raise ValueError(
            f"model must be a module with float32 or float64 parameters, got {found}; "
            "torch.autocast saves time in lower precision"
        )
    if device is None:
        return parameter.device
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    here = _checks.device(device)
    if here.type == "meta":
        raise ValueError("device must be one that computes, got meta")
    return here


def _held_out(
    validation: ImageSet | None, patience: int | None, place: torch.device
) -> ImageSet | None:
    if validation is None:
        if patience is not None:
            raise ValueError(f"patience needs validation, got patience {patience} without")
        return None
    if not isinstance(validation, ImageSet) or not len(validation):
        raise ValueError(f"validation must be an ImageSet with images, got {validation!r}")
    return validation.to(place)


def _adam(model: nn.Module, learning_rate: float) -> torch.optim.Adam:
    try:
        return torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    except RuntimeError:  # not on every device, and not in every version of torch
        return torch.optim.Adam(model.parameters(), lr=learning_rate)


class _Source:
    """Batches of an epoch: slices of a set that lies on the device, or what workers read."""

    def __init__(
        self, train: ImageSet | Dataset[Any], place: torch.device, batch_size: int, workers: int
    ) -> None:
        if not hasattr(train, "__len__") or not hasattr(train, "__getitem__"):
            raise ValueError(f"train must be an ImageSet or a Dataset, got {type(train).__name__}")
        self.size = len(train)
        if not self.size:
            raise ValueError(f"train must hold at least one image, got {train!r}")
        self.batches = -(-self.size // batch_size)
        self.train = train.to(place) if isinstance(train, ImageSet) else train
        self.place = place
        self.workers = workers

    @property
    def description(self) -> Any:
        if isinstance(self.train, ImageSet):
            return self.train
        return f"{type(self.train).__qualname__} of {self.size}"

    def check(self, likelihood: Any) -> None:
        """Refuse data that the likelihood gives no density; of a `Dataset` its first image."""
        if isinstance(self.train, ImageSet):
            likelihood.check(self.train)
        else:
            likelihood.check(_collate([self.train[0]])[0])

    def epoch(self, shuffler: Generator) -> Iterator[ImageSet]:
        """Yield all images once, shuffled, in batches of almost equal size."""
        parts = torch.randperm(self.size, generator=shuffler).tensor_split(self.batches)
        if isinstance(self.train, ImageSet):
            for index in parts:
                yield self.train[index.to(self.place)]
            return
        # A loader draws a seed for its workers: neither from torch's own state nor the shuffler's.
        seeds = Generator()
        seeds.set_state(shuffler.get_state())
        loader: DataLoader[Any] = DataLoader(
            self.train,
            batch_sampler=[index.tolist() for index in parts],
            num_workers=self.workers,
            collate_fn=_collate,
            pin_memory=self.place.type == "cuda",
            generator=seeds,
        )
        for images, labels in loader:
            # Whether its pixels are grey values is for the likelihood to say.
            yield ImageSet(images, labels, in_unit_range=False).to(self.place)


def _collate(items: list[Any]) -> tuple[Tensor, Tensor | None]:
    try:
        read = default_collate(items)
        parts = read if isinstance(read, list | tuple) else [read]
        if not all(isinstance(part, Tensor) for part in parts):
            raise TypeError("there are others among them")
        images, labels = [*parts, None] if len(parts) == 1 else parts
    except (TypeError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"train must give images [C, H, W] of one size, or pairs of image and label: {error}"
        ) from None
    return images, labels


@dataclass
class _Run:
    """One training: what its steps need, and all that has to survive a kill."""

    model: nn.Module
    objective: Objective | Callable[..., dict[str, Tensor]]
    transform: Transform | None
    schedule: Callable[[float], float] | None
    optimizer: torch.optim.Adam
    shuffler: Generator
    noise: Generator
    observers: Sequence[Observer]
    total: int
    path: Path | None = None
    fingerprint: str = ""
    history: History = field(default_factory=History)
    best: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0

    def train_epoch(self, source: _Source) -> dict[str, float]:
        """Take the steps of an epoch, and return its means over images."""
        self.model.train()
        sums: dict[str, float] = defaultdict(float)
        for batch in source.epoch(self.shuffler):
            for name, mean in self.step(batch).items():
                self.history.steps[name].append(mean)
                sums[name] += mean * len(batch)
            self.observe(len(self.history.steps["loss"]))
        # The last step can overflow behind a loss that was finite.
        weights = sum(parameter.detach().sum().item() for parameter in self.model.parameters())
        self.refuse_divergence("sum of the weights", weights)
        means = {name: total / source.size for name, total in sums.items()}
        return means | {"learning_rate": self.optimizer.param_groups[0]["lr"]}

    @torch.enable_grad()  # whoever trains wants gradients, whatever stands around it
    def step(self, batch: ImageSet) -> dict[str, float]:
        """Take one step of Adam, and return the means over the batch."""
        done = len(self.history.steps["loss"])
        if self.schedule is not None:
            factor = self.schedule(done / self.total)
            _checks.number(factor, "schedule", 0)
            for group in self.optimizer.param_groups:
                group["lr"] = self.optimizer.defaults["lr"] * factor

        # forward
        terms = self.terms(batch, self.noise, done / self.total)
        loss = terms["loss"].mean()
        means = _means(terms)
        self.refuse_divergence("loss", means["loss"])

        # backward
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        # Autocast around the whole loop would keep the weights that it cast before the step.
        torch.clear_autocast_cache()

        likelihood = getattr(self.model, "likelihood", None)
        if likelihood is not None:
            likelihood.adapt(means)
        if done % _TIDY == _TIDY - 1:
            _drop_tiny_moments(self.optimizer)
        return means

    def terms(self, batch: ImageSet, generator: Generator, progress: float) -> dict[str, Tensor]:
        """Return what the objective says of a batch, after the transform."""
        if self.transform is not None:
            batch = batch.with_images(self.transform(batch.images, generator=generator))
        terms = self.objective(self.model, batch, generator=generator, progress=progress)
        _check_terms(terms, len(batch))
        return terms

    @torch.no_grad()
    def validate(self, held_out: ImageSet) -> dict[str, float]:
        """Return the means over the validation set as at the end of training."""
        self.model.eval()
        # The same noise after every epoch: differences between epochs are then the model's.
        generator = Generator(held_out.images.device).manual_seed(0)
        sums: dict[str, float] = defaultdict(float)
        for start in range(0, len(held_out), 1000):
            batch = held_out[start : start + 1000]
            for name, mean in _means(self.terms(batch, generator, 1.0)).items():
                sums[f"validation_{name}"] += mean * len(batch)
        for name, total in sums.items():
            self.refuse_divergence(name.replace("_", " "), total)
        return {name: total / len(held_out) for name, total in sums.items()}

    def observe(self, step: int) -> None:
        for observer in self.observers:
            observer(step, self.model)

    def refuse_divergence(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            path = self.path
            kept = f"; {path} holds the last good epoch" if path and path.exists() else ""
            raise TrainingDiverged(
                f"the {name} is {value} at step {len(self.history.steps['loss'])} "
                f"(epoch {self.epoch}): try a lower learning rate{kept}",
                self.history,
            )

    def exhausted(self, patience: int | None) -> bool:
        return patience is not None and self.epoch - 1 - self.history.best_epoch >= patience

    def finish_epoch(self, row: dict[str, float]) -> None:
        """Record an epoch, keep its weights if they are the best so far, write the checkpoint."""
        before = self.history.epochs.get("validation_loss", [])
        if "validation_loss" not in row or row["validation_loss"] < min(before, default=math.inf):
            self.history.best_epoch = self.epoch
            self.best = deepcopy(self.model.state_dict())
        for name, value in row.items():
            self.history.epochs[name].append(value)
        self.epoch += 1
        if self.path is not None:
            self.save(self.path)

    def state_dict(self) -> dict[str, Any]:
        return {
            "fingerprint": self.fingerprint,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "shuffler": self.shuffler.get_state(),
            "noise": self.noise.get_state(),
            "observers": [observer.state_dict() for observer in self.stateful()],
            "steps": dict(self.history.steps),
            "epochs": dict(self.history.epochs),
            "best_epoch": self.history.best_epoch,
            "best": self.best,
            "epoch": self.epoch,
        }

    def stateful(self) -> list[StatefulObserver]:
        return [one for one in self.observers if isinstance(one, StatefulObserver)]

    def save(self, path: Path) -> None:
        buffer = io.BytesIO()
        torch.save(self.state_dict(), buffer)
        payload = buffer.getvalue()
        _files.write(path, _MAGIC + hashlib.sha256(payload).digest() + payload)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint where there is one.

        Raises:
            ValueError: when it is damaged or of another run.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        advice = "delete it or name another file"
        state = _unpack(content)
        if not isinstance(state, dict) or state.keys() != self.state_dict().keys():
            raise ValueError(f"checkpoint {path} is damaged, or no checkpoint of fit; {advice}")
        if state["fingerprint"] != self.fingerprint:
            raise ValueError(
                f"checkpoint {path} is of another run: its fingerprint is "
                f"{state['fingerprint']}, that of this run {self.fingerprint}; {advice}"
            )
        try:
            for observer, kept in zip(self.stateful(), state["observers"], strict=True):
                observer.load_state_dict(kept)
        except ValueError as error:
            raise ValueError(
                f"checkpoint {path} is of a run with other observers: {error}; {advice}"
            ) from None
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.shuffler.set_state(state["shuffler"])
        self.noise.set_state(state["noise"])
        self.history.steps.update(state["steps"])
        self.history.epochs.update(state["epochs"])
        self.history.best_epoch = state["best_epoch"]
        self.best = state["best"]
        self.epoch = state["epoch"]


def _unpack(content: bytes) -> Any:
    """Return the state in a checkpoint, or None where it is not as it was written."""
    digest, payload = content[len(_MAGIC) :][:32], content[len(_MAGIC) + 32 :]
    if not content.startswith(_MAGIC) or hashlib.sha256(payload).digest() != digest:
        return None
    try:
        return torch.load(io.BytesIO(payload), "cpu", weights_only=True)
    except (EOFError, RuntimeError, pickle.UnpicklingError):
        return None


def _check_terms(terms: Any, n: int) -> None:
    if not isinstance(terms, Mapping) or "loss" not in terms:
        raise ValueError(f"objective must return tensors by name, 'loss' among them, got {terms}")
    for name, values in terms.items():
        if not isinstance(values, Tensor) or values.shape != (n,):
            found = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"objective must return one value per image, [{n}], got {found} as {name!r}"
            )
        if values.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"objective must return float32 or float64, got {values.dtype} as {name!r}"
            )


def _means(terms: Mapping[str, Tensor]) -> dict[str, float]:
    # One copy from the device, not one per term.
    means = torch.stack([values.detach().mean() for values in terms.values()])
    return dict(zip(terms, means.tolist(), strict=True))


def _drop_tiny_moments(optimizer: torch.optim.Adam) -> None:
    # The moments of a unit that gets no gradient fade into denormal numbers, and slow a step
    # down by up to 1.8. What is set to zero here is too small to move a weight, and what is just
    # not is still a normal number when the next turn comes: 1e-25 * 0.9 ** 256 = 2e-37.
    for state in optimizer.state.values():
        for name, floor in (("exp_avg", 1e-25), ("exp_avg_sq", 1e-30)):
            state[name].masked_fill_(state[name].abs() < floor, 0.0)
