"""The one training loop of the book, with what makes a long run safe: history, resume, refusal."""

__all__ = ["History", "Observer", "Recorder", "TrainingDiverged", "fit", "one_cycle"]

import hashlib
import io
import math
import os
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.std import tqdm

from vaebook import _checks
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
    """What a run recorded, in nats per image.

    Attributes:
        steps: each term of the objective by name, one mean over the batch per step.
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
        seconds = sum(self.epochs["seconds"])
        terms = ", ".join(
            f"{name} {values[self.best_epoch]:.2f}"
            for name, values in self.epochs.items()
            if name not in ("seconds", "learning_rate")
        )
        return f"{done} epochs in {seconds:.1f} s: {terms}"


class Observer(Protocol):
    """What may look on: called before the first step with 0, then after each with its number.

    What it keeps lives in the checkpoint, so that a resumed run has what came before its stop.
    """

    def __call__(self, step: int, model: nn.Module) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Recorder:
    """An observer that keeps what a function says of the model after given steps.

    Args:
        measure: maps the model to tensors, numbers, or mappings of them.
        steps: those after which it is asked; 0 is before the first.

    Attributes:
        values: what it said, by step.

    Example:
        >>> recorder = Recorder(lambda model: model.weight.norm().item(), [0, 100])
    """

    def __init__(self, measure: Callable[[Any], Any], steps: Sequence[int]) -> None:
        for step in steps:
            _checks.count(step, "steps", 0)
        self.measure = measure
        self.steps = frozenset(steps)
        self.values: dict[int, Any] = {}

    def __call__(self, step: int, model: nn.Module) -> None:
        if step in self.steps and step not in self.values:
            self.values[step] = self.measure(model)

    def state_dict(self) -> dict[str, Any]:
        return {"values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.values = state["values"]


def one_cycle(progress: float) -> float:
    """Return the share of the peak rate: up from 1/25 over 30 % of the steps, then down to 0.

    Both ways are half cosines.

    Source: Smith and Topin, Super-Convergence (2018); shares as in torch's `OneCycleLR`.

    Args:
        progress: share of the training that is done, in [0, 1].

    Example:
        >>> one_cycle(0.0), one_cycle(0.3), one_cycle(1.0)
        (0.04, 1.0, 4e-06)
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

    Best is lowest validation loss, or simply last where there is no validation set. Seeded
    generators shuffle, transform and draw the latent noise, so that a run repeats itself.

    Interrupted (Ctrl-C), it warns and returns the history so far, with the best weights in place.

    Args:
        model: trained in place.
        objective: maps a model and a batch to named terms, see :mod:`vaebook.objectives`.
        train: an image set, which is kept in memory as a whole; or any torch `Dataset` of images
            [C, H, W], or of pairs (image, label), which may be larger than memory.
        validation: evaluated after each epoch, as at the end of training (`progress` 1).
        epochs: at most.
        batch_size: images per step, at most; an epoch is cut into equal parts, so that the last
            one is no smaller than the others.
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
            it, and ends with the same bits as one that was never stopped. The caller deletes it.
        observers: see :class:`Observer`.
        progress: show a bar on standard error, unless `TQDM_DISABLE` is set, and print one line
            at the end.

    Returns:
        The history of the run, that before a resumed stop included.

    Raises:
        TrainingDiverged: when the loss or a weight is NaN or infinite; the best weights are in
            place, and the checkpoint stays the last good one.
        ValueError: when an argument is out of range, the data doesn't suit the likelihood, or the
            checkpoint is damaged or of another run.
    """
    _check_arguments(train, validation, epochs, batch_size, learning_rate, patience, workers)
    model.to(_choose(device, model))
    place = next(model.parameters())
    source = _Source(train, place, batch_size, workers)
    held_out = None if validation is None else validation.to(place.device)
    likelihood = getattr(model, "likelihood", None)
    for images in (train, validation):
        if isinstance(images, ImageSet) and likelihood is not None:
            likelihood.check(images.images)

    run = _Run(
        model,
        torch.optim.Adam(
            model.parameters(), lr=learning_rate, fused=place.device.type in ("cpu", "cuda")
        ),
        Generator().manual_seed(seed),
        Generator(place.device).manual_seed(seed + 1),
        list(observers),
    )
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        run.fingerprint = fingerprint(
            loop=VERSION,
            model=model,
            objective=objective,
            train=train if isinstance(train, ImageSet) else f"{type(train)} of {source.size}",
            validation=validation,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=schedule,
            patience=patience,
            transform=transform,
            seed=seed,
        )
        if path.exists():
            run.load(path)

    total = epochs * source.batches
    history = run.history
    with (
        _interruptible(run),
        # Silent by tqdm's own TQDM_DISABLE too, which a rendered page sets: None hears it.
        tqdm(
            total=epochs, initial=run.epoch, unit="epoch", disable=None if progress else True
        ) as bar,
    ):
        if run.epoch == 0:
            run.observe(0)
        while run.epoch < epochs and not run.exhausted(patience):
            start = time.perf_counter()
            model.train()
            sums: dict[str, float] = defaultdict(float)
            for batch in source.epoch(run.shuffler):
                step = len(history.steps["loss"])
                if schedule is not None:
                    for group in run.optimizer.param_groups:
                        group["lr"] = learning_rate * schedule(step / total)
                if transform is not None:
                    batch = batch.with_images(transform(batch.images, generator=run.noise))
                terms = objective(model, batch, generator=run.noise, progress=step / total)

                loss = terms["loss"].mean()
                run.refuse_divergence("loss", loss.item(), path)
                run.optimizer.zero_grad()
                loss.backward()
                run.optimizer.step()
                if step % _TIDY == _TIDY - 1:
                    _drop_tiny_moments(run.optimizer)

                means = {name: values.detach().mean().item() for name, values in terms.items()}
                if likelihood is not None:
                    likelihood.adapt(means)
                for name, mean in means.items():
                    history.steps[name].append(mean)
                    sums[name] += mean * len(batch)
                run.observe(step + 1)

            # The last step can overflow behind a loss that was finite.
            weights = sum(parameter.detach().sum().item() for parameter in model.parameters())
            run.refuse_divergence("sum of the weights", weights, path)
            model.eval()
            for name, value in sums.items():
                history.epochs[name].append(value / source.size)
            if held_out is not None:
                for name, value in _validate(model, objective, held_out, transform).items():
                    run.refuse_divergence(f"validation {name}", value, path)
                    history.epochs[f"validation_{name}"].append(value)
            history.epochs["learning_rate"].append(run.optimizer.param_groups[0]["lr"])
            history.epochs["seconds"].append(time.perf_counter() - start)
            run.keep_best("validation_loss" if held_out is not None else None)
            run.epoch += 1
            if path is not None:
                run.save(path)
            bar.update()
            bar.set_postfix(loss=f"{history.epochs['loss'][-1]:.2f}")

    if progress:
        print(history, file=sys.stdout)
    return history


def _check_arguments(
    train: ImageSet | Dataset[Any],
    validation: ImageSet | None,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int | None,
    workers: int,
) -> None:
    if not hasattr(train, "__len__") or not hasattr(train, "__getitem__"):
        raise ValueError(f"train must be an ImageSet or a Dataset, got {type(train).__name__}")
    if validation is not None and not isinstance(validation, ImageSet):
        raise ValueError(f"validation must be an ImageSet, got {type(validation).__name__}")
    if len(train) == 0 or (validation is not None and len(validation) == 0):
        raise ValueError("train and validation must hold at least one image, got none")
    _checks.count(epochs, "epochs")
    _checks.count(batch_size, "batch_size")
    _checks.count(workers, "workers", 0)
    _checks.number(learning_rate, "learning_rate", 0, open=True)
    if patience is not None:
        _checks.count(patience, "patience")
        if validation is None:
            raise ValueError(f"patience needs validation, got patience {patience} without")


def _choose(device: str | torch.device | None, model: nn.Module) -> torch.device:
    if device is None:
        return next(model.parameters()).device
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device must be one that is here, got {device!r}: {reason}") from None


class _Source:
    """Batches of an epoch: slices of a set that lies on the device, or what workers read."""

    def __init__(
        self, train: ImageSet | Dataset[Any], place: Tensor, batch_size: int, workers: int
    ) -> None:
        self.train = train.to(place.device) if isinstance(train, ImageSet) else train
        self.place = place
        self.workers = workers
        self.size = len(train)  # type: ignore[arg-type]
        self.batches = -(-self.size // batch_size)

    def epoch(self, shuffler: Generator) -> Iterator[ImageSet]:
        order = torch.randperm(self.size, generator=shuffler)
        parts = order.tensor_split(self.batches)
        if isinstance(self.train, ImageSet):
            for index in parts:
                yield self.train[index.to(self.place.device)]
            return
        loader: DataLoader[Any] = DataLoader(
            self.train,
            batch_sampler=[index.tolist() for index in parts],
            num_workers=self.workers,
            pin_memory=self.place.device.type == "cuda",
        )
        for read in loader:
            images, labels = read if isinstance(read, list | tuple) else (read, None)
            # Whether its pixels are grey values is for the likelihood to say.
            batch = ImageSet(images, labels, in_unit_range=False)
            yield batch.to(self.place.device)


def _drop_tiny_moments(optimizer: torch.optim.Optimizer) -> None:
    # The moments of a unit that gets no gradient fade into denormal numbers, and slow a step
    # down by up to 1.8. What is set to zero here is too small to move a weight.
    for state in optimizer.state.values():
        for name, floor in (("exp_avg", 1e-25), ("exp_avg_sq", 1e-30)):
            moment = state[name]
            moment[moment.abs() < floor] = 0.0


@torch.no_grad()
def _validate(
    model: nn.Module,
    objective: Objective | Callable[..., dict[str, Tensor]],
    validation: ImageSet,
    transform: Transform | None,
) -> dict[str, float]:
    # The same noise after every epoch: differences between epochs are then the model's.
    generator = Generator(validation.images.device).manual_seed(0)
    sums: dict[str, float] = defaultdict(float)
    for start in range(0, len(validation), 1000):
        batch = validation[start : start + 1000]
        if transform is not None:
            batch = batch.with_images(transform(batch.images, generator=generator))
        for name, values in objective(model, batch, generator=generator, progress=1.0).items():
            sums[name] += values.sum().item()
    return {name: total / len(validation) for name, total in sums.items()}


class _interruptible:
    """Leave the model with its best weights, in eval mode, however the loop ends."""

    def __init__(self, run: "_Run") -> None:
        self.run = run

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        run = self.run
        if run.best:
            run.model.load_state_dict(run.best)
        run.model.eval()
        if kind is None or not issubclass(kind, KeyboardInterrupt):
            return False
        run.history.interrupted = True
        kept = f"epoch {run.history.best_epoch} are" if run.best else "this moment are"
        warnings.warn(
            f"interrupted after {run.epoch} epochs: the weights of {kept} in the model",
            stacklevel=3,
        )
        return True


@dataclass
class _Run:
    """All that has to survive a kill for the resumed run to end with the same bits."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    shuffler: Generator
    noise: Generator
    observers: list[Observer]
    fingerprint: str = ""
    history: History = field(default_factory=History)
    best: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0

    def observe(self, step: int) -> None:
        for observer in self.observers:
            observer(step, self.model)

    def refuse_divergence(self, name: str, value: float, path: Path | None) -> None:
        if not math.isfinite(value):
            kept = f"; {path} holds the last good epoch" if path and path.exists() else ""
            raise TrainingDiverged(
                f"the {name} is {value} at step {len(self.history.steps['loss'])} "
                f"(epoch {self.epoch}): try a lower learning rate{kept}",
                self.history,
            )

    def keep_best(self, criterion: str | None) -> None:
        if criterion is not None:
            values = self.history.epochs[criterion]
            if len(values) > 1 and values[-1] >= min(values[:-1]):
                return
        self.history.best_epoch = self.epoch
        self.best = deepcopy(self.model.state_dict())

    def exhausted(self, patience: int | None) -> bool:
        return patience is not None and self.epoch - 1 - self.history.best_epoch >= patience

    def save(self, path: Path) -> None:
        state = {
            "fingerprint": self.fingerprint,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "shuffler": self.shuffler.get_state(),
            "noise": self.noise.get_state(),
            "observers": [observer.state_dict() for observer in self.observers],
            "steps": dict(self.history.steps),
            "epochs": dict(self.history.epochs),
            "best_epoch": self.history.best_epoch,
            "best": self.best,
            "epoch": self.epoch,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        payload = buffer.getvalue()
        write_atomically(path, _MAGIC + hashlib.sha256(payload).digest() + payload)

    def load(self, path: Path) -> None:
        content = path.read_bytes()
        digest, payload = content[len(_MAGIC) :][:32], content[len(_MAGIC) + 32 :]
        if not content.startswith(_MAGIC) or hashlib.sha256(payload).digest() != digest:
            raise ValueError(
                f"checkpoint {path} is damaged, or no checkpoint of fit; delete it or name "
                "another file"
            )
        state = torch.load(
            io.BytesIO(payload),
            weights_only=True,
            map_location=next(self.model.parameters()).device,
        )
        if state["fingerprint"] != self.fingerprint:
            raise ValueError(
                f"checkpoint {path} is of another run: its fingerprint is "
                f"{state['fingerprint']}, that of this run {self.fingerprint}; delete it or name "
                "another file"
            )
        if len(state["observers"]) != len(self.observers):
            raise ValueError(
                f"checkpoint {path} has {len(state['observers'])} observers, this run "
                f"{len(self.observers)}; delete it or name another file"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.shuffler.set_state(state["shuffler"].cpu())
        self.noise.set_state(state["noise"].cpu())
        for observer, kept in zip(self.observers, state["observers"], strict=True):
            observer.load_state_dict(kept)
        self.history.steps.update(state["steps"])
        self.history.epochs.update(state["epochs"])
        self.history.best_epoch = state["best_epoch"]
        self.best = state["best"]
        self.epoch = state["epoch"]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all, whoever else writes it at the same time.

    Raises:
        OSError: when it can't be written, with the path; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
