"""What decides a result, as one short hash: card, checkpoint and table are checked by it.

Functions and classes of this package count by name and `version`, so that moving a line changes
nothing; those of a reader count by their source. Partial applications are unrolled, tensors count
by their numbers, image sets by their checksum, networks by their structure.
"""

__all__ = ["describe", "fingerprint", "version"]

import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import PurePath
from types import FunctionType, MethodType, ModuleType
from typing import Any, TypeVar

from torch import Tensor, nn

_LENGTH = 16

F = TypeVar("F", bound=Callable[..., Any])


def version(number: int) -> Callable[[F], F]:
    """Mark a function with its version, to be raised when its code changes a result."""

    def mark(function: F) -> F:
        function.version = number  # type: ignore[attr-defined]
        return function

    return mark


def fingerprint(**parts: Any) -> str:
    """Return 16 hexadecimal digits that change when any part changes.

    Args:
        parts: numbers, texts, tensors, image sets, networks, functions, partial applications,
            dataclasses, and mappings and sequences of them.

    Raises:
        ValueError: when a part has no description, such as an open file.

    Example:
        >>> fingerprint(beta=1.0) == fingerprint(beta=1.0), fingerprint(beta=4.0)
        (True, 'd5857290b294f03b')
    """
    text = json.dumps(describe(parts), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def describe(value: Any) -> Any:
    """Return what a value is, as plain JSON.

    Raises:
        ValueError: when it has no description.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, nn.Module):
        return _module(value)
    if isinstance(value, partial):
        return {
            "partial": describe(value.func),
            "arguments": describe(value.args),
            "keywords": describe(value.keywords),
        }
    if isinstance(value, MethodType):
        return {"method": describe(value.__func__), "of": describe(value.__self__)}
    if isinstance(value, FunctionType):
        return _function(value)
    if inspect.isbuiltin(value):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, type):
        return _class(value)
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(describe(item)) for item in value)
    if isinstance(value, tuple | list | range):
        return [describe(item) for item in value]
    if isinstance(getattr(value, "checksum", None), str):
        return {"checksum": value.checksum}
    if is_dataclass(value):
        inside = {field.name: getattr(value, field.name) for field in fields(value)}
        return {"class": describe(type(value)), "fields": describe(inside)}
    if callable(value) and hasattr(value, "__dict__"):
        return {"class": describe(type(value)), "fields": describe(vars(value))}
    raise ValueError(f"a {type(value).__name__} has no fingerprint: {value!r}")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_LENGTH]


def _tensor(value: Tensor) -> dict[str, Any]:
    value = value.detach().cpu().contiguous()
    dtype = str(value.dtype).removeprefix("torch.")
    if value.is_floating_point():
        # Six digits: the last ones of a computed number differ between machines.
        text = " ".join(f"{number:.5e}" for number in value.double().flatten().tolist())
    else:
        text = " ".join(map(str, value.flatten().tolist()))
    return {"tensor": dtype, "shape": list(value.shape), "digest": _digest(text.encode())}


def _module(module: nn.Module) -> dict[str, Any]:
    settings = {
        name: _lenient(item)
        for name, item in vars(module).items()
        if not name.startswith("_") and name != "training"
    }
    return {
        "class": describe(type(module)),
        "settings": settings,
        "parameters": {
            name: list(item.shape) for name, item in module.named_parameters(recurse=False)
        },
        "buffers": {name: describe(item) for name, item in module.named_buffers(recurse=False)},
        "parts": {name: _module(item) for name, item in module.named_children()},
    }


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _class(thing: type) -> dict[str, Any] | str:
    name = _name(thing)
    if name.startswith("vaebook."):
        return {"class": thing.__qualname__, "version": getattr(thing, "version", 1)}
    if name.startswith("torch.") or thing.__module__ == "builtins":
        return name
    # A class that was typed into a notebook has no file, its methods have.
    methods = {
        name: _source(item) for name, item in vars(thing).items() if isinstance(item, FunctionType)
    }
    return {"class": thing.__qualname__, "methods": methods}


def _function(function: FunctionType) -> dict[str, Any] | str:
    name = _name(function)
    if name.startswith("vaebook.") and "<" not in name:
        return {"function": function.__qualname__, "version": getattr(function, "version", 1)}
    if name.startswith("torch."):
        return name
    found = inspect.getclosurevars(function)
    outside = {
        key: _lenient(item)
        for key, item in (*found.nonlocals.items(), *found.globals.items())
        if item is not function and not isinstance(item, ModuleType)
    }
    return {
        "source": _source(function),
        "defaults": describe((function.__defaults__, function.__kwdefaults__)),
        "outside": outside,
    }


def _lenient(value: Any) -> Any:
    """Describe what a reader's code keeps or reaches: the class is all that some things tell."""
    try:
        return describe(value)
    except ValueError:
        return describe(type(value))


def _source(function: FunctionType) -> str:
    if function.__name__ != "<lambda>":
        try:
            return _digest(textwrap.dedent(inspect.getsource(function)).encode())
        except (OSError, TypeError):
            pass
    # The source of a lambda is its whole line, which may hold another one.
    code = function.__code__
    return _digest(code.co_code + repr((code.co_consts, code.co_names)).encode())
