"""What decides a result, as one short hash: checkpoints and tables are checked by it.

Functions and classes of this package count by name and `version`, so that moving a line changes
nothing; those of an installed package by name; those of a reader by their source and by what they
reach. Partial applications are unrolled, tensors count by their numbers, image sets by their
checksum, networks by their structure. What cannot be described is refused; but inside a reader's
object or function, which may hold much that decides nothing, it counts by its class. What a
function imports within itself is not looked into.
"""

__all__ = ["describe", "fingerprint", "version"]

import ast
import dis
import hashlib
import inspect
import io
import json
import sys
import sysconfig
import textwrap
import tokenize
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial, reduce
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from vaebook import _checks

_LENGTH = 16
_LIBRARY = Path(sysconfig.get_path("stdlib"))
_CACHED = type(cache(int))
_BARE = frozenset(vars(nn.Module()))

F = TypeVar("F", bound=Callable[..., Any])


def version(number: int) -> Callable[[F], F]:
    """Mark a function with its version, to be raised when its code changes a result.

    Example:
        >>> @version(2)
        ... def half(x):
        ...     return x / 2
        >>> half.version
        2
    """
    _checks.count(number, "number")

    def mark(function: F) -> F:
        function.version = number  # type: ignore[attr-defined]
        return function

    return mark


def fingerprint(**parts: Any) -> str:
    """Return 16 hexadecimal digits that change when any part changes.

    They are the same on every machine and for every version of Python, except where a part is a
    lambda or a function whose source file is not there or was edited since, so that its compiled
    code is all that is known of it.

    Args:
        parts: numbers, texts, tensors, image sets, networks, functions, partial applications,
            objects with attributes, and mappings and sequences of them.

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

    Example:
        >>> describe({"rate": 0.5, "widths": (400, 100)})
        {'rate': '0.5', 'widths': [400, 100]}
    """
    return _describe(value, ())


def _describe(value: Any, above: tuple[int, ...]) -> Any:
    """Describe a part of the things whose ids are `above`."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, complex | PurePath | torch.dtype | torch.device):
        return str(value)
    if isinstance(value, bytes):
        return _digest(value)
    if isinstance(value, np.generic):
        return _describe(value.item(), above)
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if id(value) in above:
        # A function that calls itself, a part that knows its whole.
        return {"again": above.index(id(value))}
    return _describe_compound(value, (*above, id(value)))


def _describe_compound(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, nn.Module):
        return _module(value, above)
    if isinstance(value, partial):
        return {
            "partial": _describe(value.func, above),
            "arguments": _describe(value.args, above),
            "keywords": _describe(value.keywords, above),
        }
    if isinstance(value, MethodType):
        return {
            "method": _describe(value.__func__, above),
            "of": _describe(value.__self__, above),
        }
    if isinstance(value, FunctionType):
        return _function(value, above)
    if inspect.isbuiltin(value):
        return _builtin(value, above)
    if isinstance(value, _CACHED):
        return {"cached": _describe(inspect.unwrap(value), above)}
    if isinstance(value, type):
        return _class(value, above)
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, Mapping):
        return {_key(key): _describe(item, above) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(_describe(item, above), sort_keys=True) for item in value)
    if isinstance(value, tuple | list | range):
        return [_describe(item, above) for item in value]
    if isinstance(value, staticmethod | classmethod):
        return _describe(value.__func__, above)
    if isinstance(value, property):
        return [_describe(part, above) for part in (value.fget, value.fset, value.fdel)]
    if isinstance(getattr(value, "checksum", None), str):
        return {"checksum": value.checksum}
    return _object(value, above)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else json.dumps(describe(key), sort_keys=True)


def _object(value: Any, above: tuple[int, ...]) -> Any:
    if is_dataclass(value):
        inside = {field.name: getattr(value, field.name) for field in fields(value)}
    elif callable(value) and _is_installed(value):
        return _name(value)  # such as numpy's functions, which are objects
    elif hasattr(value, "__dict__") and not isinstance(value, io.IOBase):
        inside = vars(value)
    else:
        raise ValueError(f"a {type(value).__name__} has no fingerprint: {value!r}")
    return {"class": _describe(type(value), above), "fields": _lenient(inside, above)}


def _lenient(inside: Mapping[str, Any], above: tuple[int, ...]) -> dict[str, Any]:
    """Describe what a reader's code keeps or reaches: the class is all that some things tell."""
    found = {}
    for name, item in inside.items():
        try:
            found[name] = _describe(item, above)
        except ValueError:
            found[name] = _describe(type(item), above)
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_LENGTH]


def _array(value: np.ndarray[Any, Any]) -> dict[str, Any]:
    try:
        return _tensor(torch.from_numpy(value.copy()))
    except TypeError:
        raise ValueError(f"an array of {value.dtype} has no fingerprint") from None


def _tensor(value: Tensor) -> dict[str, Any]:
    dtype = str(value.dtype).removeprefix("torch.")
    # Six digits: the last ones of a computed number differ between machines.
    form = "{:.5e}" if value.is_floating_point() or value.is_complex() else "{}"
    digest = hashlib.sha256()
    for n, part in enumerate(value.detach().cpu().flatten().split(65536)):
        numbers = part.double() if part.is_floating_point() else part
        text = " ".join(map(form.format, numbers.tolist()))
        digest.update((" " * (n > 0) + text).encode())
    return {
        "tensor": dtype,
        "shape": list(value.shape),
        "digest": digest.hexdigest()[:_LENGTH],
    }


def _module(module: nn.Module, above: tuple[int, ...]) -> dict[str, Any]:
    known = _is_ours(type(module)) or _is_installed(type(module))
    settings = {
        name: item
        for name, item in vars(module).items()
        if name not in _BARE and not (known and name.startswith("_"))
    }
    # What training moves counts by where it starts; torch's own buffers start the same.
    buffers = {} if _is_installed(type(module)) else dict(module.named_buffers(recurse=False))
    buffers |= getattr(module, "initial_buffers", dict)()
    return {
        "class": _describe(type(module), above),
        "settings": _lenient(settings, above),
        "parameters": {
            name: _parameter(item) for name, item in module.named_parameters(recurse=False)
        },
        "buffers": {name: _tensor(item) for name, item in buffers.items()},
        "parts": {name: _describe(item, above) for name, item in module.named_children()},
    }


def _parameter(value: Tensor) -> list[Any]:
    dtype = [] if value.dtype == torch.float32 else [str(value.dtype)]
    return [*value.shape, *dtype, *([] if value.requires_grad else ["frozen"])]


def _home(thing: Any) -> str:
    return getattr(thing, "__module__", None) or ""


def _name(thing: Any) -> str:
    return f"{_home(thing)}.{getattr(thing, '__qualname__', None) or thing.__name__}"


def _is_named(thing: Any) -> bool:
    """Tell whether the name leads to the thing: it doesn't for lambdas, closures, wrappers."""
    path = _name(thing).removeprefix(f"{_home(thing)}.").split(".")
    module = sys.modules.get(_home(thing))
    return reduce(lambda part, name: getattr(part, name, None), path, module) is thing


def _is_ours(thing: Any) -> bool:
    return _home(thing).startswith("vaebook.") and _is_named(thing)


def _is_installed(thing: Any) -> bool:
    """Tell what came with Python or another package from what its reader wrote."""
    module = sys.modules.get(_home(thing))
    if module is None or not hasattr(thing, "__name__"):
        return False
    return _is_library(module) and _is_named(thing)


def _is_library(module: ModuleType) -> bool:
    if module.__name__.partition(".")[0] in ("vaebook", "__main__"):
        return False  # wherever it lies: a wheel and a checkout must agree
    file = getattr(module, "__file__", None)
    return (
        file is None
        or Path(file).is_relative_to(_LIBRARY)
        or not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)
    )


def _builtin(function: Any, above: tuple[int, ...]) -> Any:
    owner = function.__self__
    if owner is None or isinstance(owner, ModuleType | type):
        return f"{function.__module__}.{function.__qualname__}"
    return {"method": function.__name__, "of": _describe(owner, above)}


def _class(thing: type, above: tuple[int, ...]) -> dict[str, Any] | str:
    if _is_ours(thing):
        return {"class": thing.__qualname__, "version": getattr(thing, "version", 1)}
    if _is_installed(thing):
        return _name(thing)
    inside = {
        name: item
        for name, item in vars(thing).items()
        if isinstance(item, FunctionType) or not name.startswith(("__", "_abc"))
    }
    return {
        "class": thing.__qualname__,
        "bases": [_describe(base, above) for base in thing.__bases__],
        "inside": _lenient(inside, above),
    }


def _function(function: FunctionType, above: tuple[int, ...]) -> dict[str, Any] | str:
    if _is_ours(function):
        return {"function": function.__qualname__, "version": getattr(function, "version", 1)}
    if _is_installed(function):
        return _name(function)
    return {
        "source": _source(function, above),
        "defaults": [
            _lenient({str(n): item for n, item in enumerate(function.__defaults__ or ())}, above),
            _lenient(function.__kwdefaults__ or {}, above),
        ],
        "outside": _lenient(dict(_outside(function)), above),
    }


def _outside(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield what the code of a function finds outside it, by name."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            yield name, None
    for name in _globals(function.__code__):
        first, *rest = name.split(".")
        if first in function.__globals__:
            yield from _reached(function.__globals__[first], first, rest)


def _reached(value: Any, name: str, rest: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield what is asked of a module of ours or of a reader: its name alone says little."""
    inside = isinstance(value, ModuleType) and not _is_library(value)
    if inside and rest and hasattr(value, rest[0]):
        yield from _reached(getattr(value, rest[0]), f"{name}.{rest[0]}", rest[1:])
    else:
        yield name, value


@cache
def _globals(code: CodeType) -> tuple[str, ...]:
    """Return the names that code looks up, sorted, each with the attributes that it asks of it."""
    found, path = set(), ""
    for instruction in dis.get_instructions(code):
        if path and instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            path = f"{path}.{instruction.argval}"
            continue
        found.add(path)
        path = instruction.argval if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") else ""
    for part in code.co_consts:
        if isinstance(part, CodeType):  # a function within, or a comprehension
            found.update(_globals(part))
    return tuple(sorted(found - {""}))


def _source(function: FunctionType, above: tuple[int, ...]) -> Any:
    # The source of a lambda is its whole line, which may hold another one.
    # Of the code, as that of a wrapper would be what it wraps.
    code = function.__code__
    if function.__name__ != "<lambda>":
        try:
            return _written(code, "".join(inspect.findsource(code)[0]), code.co_filename)
        except (OSError, TypeError, SyntaxError, tokenize.TokenError):
            pass
    return _compiled(code, above)


@cache
def _written(code: CodeType, text: str, file: str) -> str:
    """Return the digest of a function's source in the text of its file."""
    if code not in _codes(text, file):
        raise OSError("the file was edited since it was read")
    return _digest(_bare_source(textwrap.dedent(inspect.getsource(code))).encode())


@cache
def _codes(text: str, file: str) -> frozenset[CodeType]:
    """Return the code of all functions in a file: one edited since it was read has others."""

    def within(code: CodeType) -> Iterator[CodeType]:
        yield code
        for part in code.co_consts:
            if isinstance(part, CodeType):
                yield from within(part)

    return frozenset(within(compile(text, file, "exec", PyCF_ALLOW_TOP_LEVEL_AWAIT, True)))


def _bare_source(source: str) -> str:
    """Return source without comments and docstrings, which decide nothing."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            rows = slice(first.lineno - 1, first.end_lineno)
            text = "\n".join(lines[rows]).strip()
            # One that shares its line with code stays: it is not worth the care.
            if ast.get_docstring(node) is not None and text == ast.get_source_segment(
                source, first
            ):
                lines[rows] = [""] * len(lines[rows])
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _compiled(code: CodeType, above: tuple[int, ...]) -> list[Any]:
    constants = [
        _compiled(part, above) if isinstance(part, CodeType) else _lenient({"": part}, above)
        for part in code.co_consts
    ]
    return [_digest(code.co_code), list(code.co_names), constants]
