"""The one training loop of the book, with what makes a long run safe: history, resume, refusal."""

__all__ = ["History", "TrainingDiverged", "fit", "one_cycle"]

import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from tqdm.std import tqdm

from vaebook.datasets import ImageSet
from vaebook.objectives import Objective


class TrainingDiverged(ArithmeticError):
    """The loss or a weight became NaN or infinite."""


@dataclass
class History:
    """What a run recorded, in nats per image.

    Attributes:
        steps: each term of the objective by name, one mean over the batch a step.
        epochs: the same averaged over the epoch, `validation_` terms where there is a validation
            set, `learning_rate`, and the `seconds` of training.
        best_epoch: the epoch, from 0, whose weights were kept.
    """

    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    epochs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    best_epoch: int = -1

    def __str__(self) -> str:
        seconds = sum(self.epochs["seconds"])
        terms = ", ".join(
            f"{name} {values[self.best_epoch]:.2f}"
            for name, values in self.epochs.items()
            if name not in ("seconds", "learning_rate")
        )
        return f"{len(self.epochs['loss'])} epochs in {seconds:.1f} s: {terms}"


def one_cycle(total_steps: int, peak: float) -> Callable[[torch.optim.Optimizer], LRScheduler]:
    """Return a schedule that rises to `peak` and falls to almost nothing over `total_steps`.

    Source: Smith and Topin, Super-Convergence (2018).
    """
    return lambda optimizer: OneCycleLR(optimizer, max_lr=peak, total_steps=total_steps)


def fit(
    model: nn.Module,
    objective: Objective,
    train: ImageSet,
    validation: ImageSet | None = None,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    schedule: Callable[[torch.optim.Optimizer], LRScheduler] | None = None,
    patience: int | None = None,
    transform: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    with_labels: bool = False,
    progress: bool = True,
    after_step: Callable[[int, nn.Module], None] | None = None,
) -> History:
    """Minimise an objective with Adam, and leave the best weights in the model, in eval mode.

    Best is lowest validation loss, or simply last where there is no validation set. One seeded
    generator shuffles, transforms and draws the latent noise, so that a run repeats itself.

    Args:
        model: trained in place.
        objective: maps a model and images to named terms, see :mod:`vaebook.objectives`.
        train: kept in memory as a whole; the last incomplete batch of an epoch is trained on too.
        validation: evaluated after each epoch.
        epochs: at most.
        batch_size: images a step.
        learning_rate: of Adam.
        schedule: makes a scheduler, stepped after every step; None keeps the rate.
        patience: stop after so many epochs without a better validation loss; None never does.
        transform: applied to each batch, e.g. :func:`vaebook.datasets.binarize`.
        seed: of the generator; initial weights are the caller's.
        checkpoint: file written after each epoch; where it exists already the run goes on from
            it, and ends with the same bits as one that was never stopped. Deleted by nobody.
        with_labels: hand the batch's labels to the objective, as `labels`.
        progress: show a bar on standard error, unless `TQDM_DISABLE` is set, and print one line
            at the end.
        after_step: called with the number of steps taken so far and the model.

    Raises:
        TrainingDiverged: when the loss or a weight is NaN or infinite; the checkpoint stays the
            last good one.
        ValueError: when an argument is out of range or the checkpoint is of another run.
    """
    if len(train) == 0 or (validation is not None and len(validation) == 0):
        raise ValueError("train and validation must hold at least one image, got none")
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1, got {epochs}, {batch_size}")
    if not 0 < learning_rate < float("inf"):
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate}")
    if patience is not None and (patience < 1 or validation is None):
        raise ValueError(f"patience must be at least 1 and needs validation, got {patience}")
    for name, given in {"train": train, "validation": validation}.items():
        if with_labels and given is not None and given.labels is None:
            raise ValueError(f"with_labels needs labels, but {name} has none: {given.title}")

    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    scheduler = schedule(optimizer) if schedule else None
    run = _Run(
        model=model,
        optimizer=optimizer,
        scheduler=scheduler,
        generator=torch.Generator().manual_seed(seed),
        settings={
            "train": f"{len(train)} {train.title}",
            "validation": 0 if validation is None else len(validation),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "batch_size": batch_size,
            "initial_learning_rate": optimizer.param_groups[0]["lr"],
            "schedule": type(scheduler).__name__,
            "seed": seed,
        },
    )
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None and path.exists():
        run.load(path)

    batches = -(-len(train) // batch_size)
    history = run.history
    # Silent by tqdm's own TQDM_DISABLE too, which a rendered page sets: no `disable` if shown.
    silence = {} if progress else {"disable": True}
    bar = tqdm(total=epochs, initial=run.epoch, unit="epoch", **silence)
    with bar:
        while run.epoch < epochs and not run.exhausted(patience):
            start = time.perf_counter()
            model.train()
            order = torch.randperm(len(train), generator=run.generator)
            for index in order.split(batch_size):
                images = train.images[index]
                if transform is not None:
                    images = transform(images, run.generator)
                labels = _labels(train, index, with_labels)
                terms = objective(model, images, generator=run.generator, **labels)
                loss = terms["loss"].mean()
                run.refuse_divergence("loss", loss.item(), path)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if run.scheduler is not None:
                    run.scheduler.step()
                for name, values in terms.items():
                    history.steps[name].append(values.detach().mean().item())
                if after_step is not None:
                    after_step(len(history.steps["loss"]), model)

            # The last step can overflow behind a loss that was finite.
            weights = sum(parameter.detach().sum().item() for parameter in model.parameters())
            run.refuse_divergence("sum of the weights", weights, path)

            model.eval()
            for name, recorded in history.steps.items():
                history.epochs[name].append(sum(recorded[-batches:]) / batches)
            if validation is not None:
                for name, value in _validate(
                    model, objective, validation, transform, with_labels
                ).items():
                    run.refuse_divergence(f"validation {name}", value, path)
                    history.epochs[f"validation_{name}"].append(value)
            history.epochs["learning_rate"].append(optimizer.param_groups[0]["lr"])
            history.epochs["seconds"].append(time.perf_counter() - start)
            run.keep_best("validation_loss" if validation is not None else None)
            run.epoch += 1
            if path is not None:
                run.save(path)
            bar.update()
            bar.set_postfix(loss=f"{history.epochs['loss'][-1]:.2f}")

    model.load_state_dict(run.best)
    model.eval()
    if progress:
        print(history, file=sys.stdout)
    return history


def _labels(images: ImageSet, index: Tensor, wanted: bool) -> dict[str, Tensor]:
    if not wanted or images.labels is None:
        return {}
    return {"labels": images.labels[index]}


@torch.no_grad()
def _validate(
    model: nn.Module,
    objective: Objective,
    validation: ImageSet,
    transform: Callable[[Tensor, torch.Generator], Tensor] | None,
    with_labels: bool,
) -> dict[str, float]:
    # The same noise after every epoch: differences between epochs are then the model's.
    generator = torch.Generator().manual_seed(0)
    sums: dict[str, float] = defaultdict(float)
    for index in torch.arange(len(validation)).split(1000):
        images = validation.images[index]
        if transform is not None:
            images = transform(images, generator)
        labels = _labels(validation, index, with_labels)
        for name, values in objective(model, images, generator=generator, **labels).items():
            sums[name] += values.sum().item()
    return {name: total / len(validation) for name, total in sums.items()}


@dataclass
class _Run:
    """All that has to survive a kill for the resumed run to end with the same bits."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler | None
    generator: torch.Generator
    settings: dict[str, int | float | str]
    history: History = field(default_factory=History)
    best: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0

    def refuse_divergence(self, name: str, value: float, path: Path | None) -> None:
        if not math.isfinite(value):
            kept = f"; {path} holds the last good epoch" if path and path.exists() else ""
            raise TrainingDiverged(
                f"the {name} is {value} at step {len(self.history.steps['loss'])} "
                f"(epoch {self.epoch}): try a lower learning rate{kept}"
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
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict() if self.scheduler else None,
            "generator": self.generator.get_state(),
            "settings": self.settings,
            "steps": dict(self.history.steps),
            "epochs": dict(self.history.epochs),
            "best_epoch": self.history.best_epoch,
            "best": self.best,
            "epoch": self.epoch,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        # A kill in the middle of writing must not take the last good checkpoint with it.
        partial = path.with_name(path.name + ".partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        try:
            state = torch.load(path, weights_only=True)
            found = state["settings"]
        except (UnpicklingError, RuntimeError, EOFError, KeyError, TypeError) as error:
            raise ValueError(
                f"checkpoint {path} is no checkpoint of fit; delete it or name another file"
            ) from error
        if found != self.settings:
            raise ValueError(
                f"checkpoint {path} is of another run: it has {found}, "
                f"this run {self.settings}; delete it or name another file"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.generator.set_state(state["generator"])
        self.history.steps.update(state["steps"])
        self.history.epochs.update(state["epochs"])
        self.history.best_epoch = state["best_epoch"]
        self.best = state["best"]
        self.epoch = state["epoch"]
