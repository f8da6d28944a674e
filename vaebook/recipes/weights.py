"""Trained models on disk: weights, history and codes as safetensors, with a card.

`train` writes the card of a recipe beside the weights, in half precision. `save` writes a model
that was trained in any way into one file, as it is, with its structure and card in the file's
header. Either has a fingerprint and the sum of the weights; what was made under another
fingerprint, or has been altered since, is refused by name. Nothing is pickled.
"""

__all__ = ["Snapshots", "Trained", "halved", "is_trained", "load", "save", "write"]

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

import vaebook
from vaebook import _checks, _files
from vaebook.fingerprint import fingerprint
from vaebook.models import Codes
from vaebook.recipes.recipe import Recipe
from vaebook.recipes.registry import WEIGHTS, get
from vaebook.recipes.structure import build, structure_of
from vaebook.training import History

_SUFFIX = ".safetensors"
_HEADER = {"model", "fingerprint", "sha256", "best_epoch", "interrupted", "card", "vaebook"}


class Snapshots(NamedTuple):
    """Codes during training: after `steps` [S], `mu` [S, M, D] of images with `labels` [M]."""

    steps: Tensor
    mu: Tensor
    labels: Tensor | None


class Trained(NamedTuple):
    """A trained model with its history, card and codes.

    What :func:`load` returns, with the model frozen and in eval mode, and what :func:`save` takes:
    a recipe's model, or one that `fit` has trained.

    Attributes:
        model: a VAE, an autoencoder or a classifier; in a run of one's own also a denoiser.
        history: of its training.
        card: facts about the model as JSON can hold them; for a recipe its metrics and budget.
        codes: those of a recipe's test set, or of the images that one wants to find again.
        snapshots: of the codes during training, None where none were kept.
    """

    model: Any
    history: History
    card: dict[str, Any]
    codes: Codes
    snapshots: Snapshots | None = None


def load(
    recipe: str | Recipe | os.PathLike[str], directory: str | os.PathLike[str] | None = None
) -> Trained:
    """Return a trained model; no network, no data set, no training.

    Args:
        recipe: the name of one of the book's, see :func:`available`; or a recipe of one's own;
            or the path of a ".safetensors" file that :func:`save` wrote.
        directory: where `train` wrote a recipe; the package's own weights by default.

    Raises:
        ValueError: when the name is unknown, the files were made under another fingerprint, or
            they are damaged.
        FileNotFoundError: when the recipe hasn't been trained into that directory, or there is
            no file at the path.

    Example:
        >>> trained = load("mnist-mlp-2d")
        >>> trained.model.decode(torch.zeros(1, 2)).shape
        torch.Size([1, 1, 28, 28])
    """
    if isinstance(recipe, os.PathLike) or (isinstance(recipe, str) and recipe.endswith(_SUFFIX)):
        if directory is not None:
            raise ValueError(f"directory must be None beside the path of a file, got {directory}")
        return _load_saved(_checks.path(recipe, "recipe"))
    recipe = get(recipe)
    path, card, content = _read(recipe, _folder(directory))
    groups = _groups(path, content)
    model = recipe.start()
    try:
        model.load_state_dict(_shared(model, groups["model"]))
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


def save(trained: Trained, path: str | os.PathLike[str]) -> None:
    """Write a trained model into one file, from which :func:`load` returns it as it is.

    The file is of safetensors: the numbers, and a header in JSON that names the classes of the
    model and of its parts with their arguments. Reading it executes nothing, so that one may take
    such a file from a stranger; but a network of one's own can't be saved in it.

    Args:
        trained: with a model of this package's networks, likelihoods and priors.
        path: ends in ".safetensors"; what is there is replaced.

    Raises:
        ValueError: when a part of the model is of another class or was changed after it was
            built, a number is not finite, the card is no JSON, or for any other ending.
        OSError: when the file can't be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from vaebook import datasets, models, objectives
        >>> from vaebook.models import networks
        >>> from vaebook.training import fit
        >>> digits = datasets.digits()[:256]
        >>> model = models.VAE(*networks.for_images((1, 28, 28), 2), 2, models.Bernoulli())
        >>> history = fit(model, objectives.negative_elbo, digits, epochs=1, progress=False)
        >>> trained = Trained(model, history, {"names": digits.names}, model.codes(digits))
        >>> with TemporaryDirectory() as folder:
        ...     save(trained, f"{folder}/mine.safetensors")
        ...     again = load(f"{folder}/mine.safetensors")
        >>> torch.equal(again.model.codes(digits).mu, again.codes.mu)
        True
    """
    _checks.instance(trained, "trained", Trained)
    path = _checks.path(path, "path")
    if path.suffix != _SUFFIX:
        raise ValueError(f"path must end in '{_SUFFIX}', got {str(path)!r}")
    for name, kind in (("history", History), ("card", Mapping), ("codes", Codes)):
        _checks.instance(getattr(trained, name), f"trained.{name}", kind)
    structure = structure_of(trained.model)
    model = deepcopy(trained.model).cpu().eval().requires_grad_(False)
    tensors = _flat(
        {
            "model": _once(model),
            "steps": _columns(trained.history.steps, torch.float64),
            "epochs": _columns(trained.history.epochs, torch.float64),
            "codes": _present(vars(trained.codes)),
            "snapshots": _present(trained.snapshots._asdict() if trained.snapshots else {}),
        }
    )
    for key in _not_finite(tensors):
        raise ValueError(f"trained must hold finite numbers, got others in {key}")
    description = fingerprint(model=model)
    try:
        again = fingerprint(model=_filled(structure, model.state_dict()))
    except RuntimeError:  # weights of another shape
        again = ""
    if again != description:
        raise ValueError(
            "trained.model must be as its classes built it, got one that was changed afterwards"
        )
    header = {
        "model": structure,
        "fingerprint": description,
        "sha256": _sum(tensors),
        "best_epoch": trained.history.best_epoch,
        "interrupted": trained.history.interrupted,
        "card": dict(trained.card),
        "vaebook": vaebook.__version__,
    }
    try:
        text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"trained.card must be what JSON can hold: {error}") from None
    _files.write(path, save_tensors(tensors, {"vaebook": text}))


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


def _load_saved(path: Path) -> Trained:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: recipes.save writes it")
    content = path.read_bytes()
    tensors = _tensors(path, content)
    header = _header(path, content)
    if _sum(tensors) != header["sha256"]:
        raise ValueError(f"{path} does not match its sum, {header['sha256']}: it is damaged")
    groups = _grouped(path, tensors)
    try:
        model = _filled(header["model"], groups["model"])
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} doesn't fit its own structure: {reason}") from None
    if fingerprint(model=model) != header["fingerprint"]:
        raise ValueError(
            f"{path} was made under another fingerprint, by vaebook {header['vaebook']}, whose "
            f"{type(model).__name__} was another: load it with that version"
        )
    steps, epochs = (
        {key: tensor.tolist() for key, tensor in groups[name].items()}
        for name in ("steps", "epochs")
    )
    history = History(steps, epochs, header["best_epoch"], header["interrupted"])
    kept = groups["snapshots"]
    snapshots = Snapshots(kept["steps"], kept["mu"], kept.get("labels")) if kept else None
    return Trained(model, history, header["card"], _codes(path, groups["codes"]), snapshots)


def _header(path: Path, content: bytes) -> dict[str, Any]:
    """Return what `save` has written in front of the tensors of a file."""
    size = int.from_bytes(content[:8], "little")  # as safetensors has it
    notes = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    try:
        header = json.loads(notes["vaebook"])
        missing = _HEADER - header.keys()
    except (KeyError, AttributeError, json.JSONDecodeError):
        missing = _HEADER
    if missing:
        raise ValueError(
            f"{path} lacks {', '.join(sorted(missing))} in its header, which recipes.save writes; "
            "what recipes.train wrote is loaded by its recipe and directory"
        )
    return header


def _filled(structure: Mapping[str, Any], state: Mapping[str, Tensor]) -> nn.Module:
    """Return the model of a structure with its weights, in their dtype, frozen in eval mode."""
    model: nn.Module = build(structure)
    kinds = {tensor.dtype for tensor in state.values() if tensor.is_floating_point()}
    if len(kinds) == 1:
        model.to(kinds.pop())
    model.load_state_dict(_shared(model, state))
    return model.eval().requires_grad_(False)


def _first_names(model: nn.Module) -> dict[str, str]:
    """Return the first name of each tensor, by all its names: what two parts share has several."""
    first: dict[int, str] = {}
    return {
        name: first.setdefault(id(tensor), name)
        for name, tensor in model.state_dict(keep_vars=True).items()
    }


def _once(model: nn.Module) -> dict[str, Tensor]:
    """Return the state of a model with each tensor once, under its first name."""
    firsts = set(_first_names(model).values())
    return {name: tensor for name, tensor in model.state_dict().items() if name in firsts}


def _shared(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state that has each tensor once with all names of the model's."""
    names = _first_names(model).items()
    return {**state, **{name: state[first] for name, first in names if first in state}}


def _columns(values: Mapping[str, list[float]], dtype: torch.dtype) -> dict[str, Tensor]:
    return {key: torch.tensor(column, dtype=dtype) for key, column in values.items()}


def _present(parts: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    return {key: part.detach().cpu() for key, part in parts.items() if part is not None}


def _sum(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors by name, whatever the order in which they are stored."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


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
    tensors = {
        key: tensor.float() if tensor.is_floating_point() else tensor.long()
        for key, tensor in _tensors(path, content).items()
    }
    return _grouped(path, tensors)


def _tensors(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return load_tensors(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is no file of tensors: {error}") from None


def _grouped(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    for key in _not_finite(tensors):
        raise ValueError(f"{path} has numbers that are not finite: {key}")
    groups: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in tensors.items():
        group, _, rest = key.partition(".")
        groups[group][rest] = tensor
    return groups


def _not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors with NaN or infinity; the history's may have them."""
    return [
        key
        for key, tensor in tensors.items()
        if not key.startswith(("steps.", "epochs.")) and not bool(tensor.isfinite().all())
    ]


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
        "model": halved(_once(model)),
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
    return save_tensors(_flat(groups))


def _flat(groups: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {
        f"{group}.{key}": tensor.clone(memory_format=torch.contiguous_format)
        for group, tensors in groups.items()
        for key, tensor in tensors.items()
    }


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors in half precision, which halves the package; whole numbers stay."""
    return {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in tensors.items()
    }
