"""Trained models on disk: weights, history and codes as safetensors, with a card beside them.

The card has the recipe's fingerprint and the sum of the weights; what was made under another
fingerprint, or has been altered since, is refused by name.
"""

__all__ = ["Snapshots", "Trained", "halved", "is_trained", "load", "write"]

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from vaebook import _checks, _files
from vaebook.models import Codes
from vaebook.recipes.recipe import Recipe
from vaebook.recipes.registry import WEIGHTS, get
from vaebook.training import History


class Snapshots(NamedTuple):
    """Codes during training: after `steps` [S], `mu` [S, M, D] of images with `labels` [M]."""

    steps: Tensor
    mu: Tensor
    labels: Tensor | None


class Trained(NamedTuple):
    """A trained model, frozen and in eval mode, with its history, card and test codes.

    `snapshots` is None where the recipe keeps none.
    """

    model: Any
    history: History
    card: dict[str, Any]
    codes: Codes
    snapshots: Snapshots | None


def load(recipe: str | Recipe, directory: str | os.PathLike[str] | None = None) -> Trained:
    """Return a trained model; no network, no data set, no training.

    Args:
        recipe: the name of one of the book's, see :func:`available`, or a recipe of one's own.
        directory: where `train` wrote it; the package's own weights by default.

    Raises:
        ValueError: when the name is unknown, the files were made under another fingerprint, or
            they are damaged.
        FileNotFoundError: when the recipe hasn't been trained into that directory.

    Example:
        >>> trained = load("mnist-mlp-2d")
        >>> trained.model.decode(torch.zeros(1, 2)).shape
        torch.Size([1, 1, 28, 28])
    """
    recipe = get(recipe)
    path, card, content = _read(recipe, _folder(directory))
    groups = _groups(path, content)
    model = recipe.start()
    try:
        model.load_state_dict(groups["model"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} doesn't fit the model of {recipe.name}: {reason}") from None
    history = History(
        {key: tensor.tolist() for key, tensor in groups["steps"].items()},
        {key: tensor.tolist() for key, tensor in groups["epochs"].items()},
        card["best_epoch"],
    )
    codes = _codes(path, groups["codes"])
    snapshots = _snapshots(path, groups["snapshots"], codes) if recipe.snapshots else None
    return Trained(model.eval().requires_grad_(False), history, card, codes, snapshots)


def is_trained(recipe: str | Recipe, directory: str | os.PathLike[str] | None = None) -> bool:
    """Tell whether a directory holds whole weights of a recipe as it stands now.

    Args:
        recipe: a name or a recipe.
        directory: where `train` writes; the package's own weights by default.

    Raises:
        ValueError: when the name is unknown.

    Example:
        >>> is_trained("mnist-mlp-2d"), is_trained("mnist-mlp-2d", "a/folder/without/it")
        (True, False)
    """
    recipe = get(recipe)
    folder = _folder(directory)
    try:
        _read(recipe, folder)
    except (OSError, ValueError):
        return False
    return True


def write(
    recipe: Recipe,
    directory: Path,
    model: nn.Module,
    history: History,
    codes: Codes,
    snapshots: dict[int, Tensor],
    card: dict[str, Any],
) -> None:
    """Write weights and card; the card last, since it vouches for the weights."""
    content = _pack(model, history, codes, snapshots)
    card = {
        "recipe": recipe.name,
        "summary": recipe.summary,
        "fingerprint": recipe.fingerprint,
        **card,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    _files.write(directory / f"{recipe.name}.safetensors", content)
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    _files.write(directory / f"{recipe.name}.json", text.encode())


def _folder(directory: str | os.PathLike[str] | None) -> Path:
    return WEIGHTS if directory is None else _checks.path(directory, "directory")


def _read(recipe: Recipe, folder: Path) -> tuple[Path, dict[str, Any], bytes]:
    """Return the path of the weights, their card, and their bytes, which agree."""
    path = folder / f"{recipe.name}.safetensors"
    for file in (path.with_suffix(".json"), path):
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} does not exist: train it with `python -m vaebook train {recipe.name}`, "
                "or recipes.train, and name the directory"
            )
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        made, expected = card["fingerprint"], card["sha256"]
        card["best_epoch"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.with_suffix('.json')} is no card: {error!r}") from None
    if made != recipe.fingerprint:
        raise ValueError(
            f"{path} was made under another fingerprint: its card says {made}, the recipe "
            f"{recipe.name} has {recipe.fingerprint}. Train it again, or take the recipe that "
            "made it"
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(
            f"{path} does not match its card: expected SHA-256 {expected}, found {found}"
        )
    return path, card, content


def _groups(path: Path, content: bytes) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of a file, all finite, by group and name; what was halved is float32."""
    groups: dict[str, dict[str, Tensor]] = defaultdict(dict)
    try:
        tensors = load_tensors(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is no file of tensors: {error}") from None
    for key, tensor in tensors.items():
        group, _, rest = key.partition(".")
        if group not in ("steps", "epochs") and not bool(tensor.isfinite().all()):
            raise ValueError(f"{path} has numbers that are not finite: {key}")
        groups[group][rest] = tensor.float() if tensor.is_floating_point() else tensor.long()
    return groups


def _codes(path: Path, found: dict[str, Tensor]) -> Codes:
    if "mu" not in found:
        raise ValueError(f"{path} has no codes")
    try:
        return Codes(found["mu"], found.get("logvar"), found.get("labels"))
    except ValueError as error:
        raise ValueError(f"{path} has codes that don't fit each other: {error}") from None


def _snapshots(path: Path, found: dict[str, Tensor], codes: Codes) -> Snapshots:
    if "mu" not in found or "steps" not in found or len(found["mu"]) != len(found["steps"]):
        raise ValueError(f"{path} has no snapshots, or not one per step")
    labels = None if codes.labels is None else codes.labels[: found["mu"].shape[1]]
    return Snapshots(found["steps"], found["mu"], labels)


def _pack(model: nn.Module, history: History, codes: Codes, snapshots: dict[int, Tensor]) -> bytes:
    parts = {"mu": codes.mu, "logvar": codes.logvar, "labels": codes.labels}
    if codes.labels is not None and codes.labels.max() < 256:
        parts["labels"] = codes.labels.to(torch.uint8)
    groups = {
        "model": halved(model.state_dict()),
        "steps": {key: torch.tensor(values) for key, values in history.steps.items()},
        "epochs": {key: torch.tensor(values) for key, values in history.epochs.items()},
        "codes": halved({key: part for key, part in parts.items() if part is not None}),
    }
    if snapshots:
        steps = sorted(snapshots)
        groups["snapshots"] = halved(
            {
                "steps": torch.tensor(steps),
                "mu": torch.stack([snapshots[step] for step in steps]),
            }
        )
    return save_tensors(
        {
            f"{group}.{key}": tensor.contiguous()
            for group, tensors in groups.items()
            for key, tensor in tensors.items()
        }
    )


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors in half precision, which halves the package; whole numbers stay."""
    return {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in tensors.items()
    }
