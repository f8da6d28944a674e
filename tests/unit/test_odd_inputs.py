"""Every public callable with odd arguments: a right answer, or a `ValueError` that names it.

One argument of a good call at a time is replaced by odd values of its kind. Two outcomes are
allowed. An answer must be of the type of the good one, without a NaN where none went in; where
the odd value is but another form of a good one (not contiguous, on a graph, integers, half
precision, a list) it must be the answer to that one. A refusal is a `ValueError`, or another error
that the docstring lists under `Raises`, whose message has the argument's name in it.
"""

import fnmatch
import inspect
import json
import math
import random
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from plotly.basedatatypes import BaseFigure
from torch import Generator, Tensor, nn

from tests.unit.public_calls import CALLS, EXEMPT, image_set, public
from vaebook.datasets import DatasetUnavailable, ImageSet
from vaebook.training import TrainingDiverged

pytestmark = pytest.mark.slow

# Crashes of SciPy would take the test run along.
_ALONE = ("latent.dense.dense_paths",)

# Most of the time of all are these; they are asked weekly.
_DEAR = (
    *("figures.notes.stand_in_note", "figures.many.*", "figures.plots.*"),
    *("latent.dense.dense_paths", "latent.geometry.exp", "latent.geometry.log"),
    *("live.kernel.*", "live.figures.*", "live.denoising.*", "live.refinement.*"),
    *("live.simplex.*", "live.codebook.*", "latent.diffusion.fit", "latent.geometry.curvature"),
    *("measures.disentanglement.scores", "measures.heatmaps.fit_heatmaps"),
    *("live.retraining.*", "live.handed.*", "latent.samplers.Chain.ess"),
)


def _is_dear(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in _DEAR)


# What an argument's message may speak of instead: what is inside it.
_INSIDE = {
    "batch": "images|labels",
    "train": "images",
    "validation": "images",
    "log_density": "log densities",
    "log_likelihood": "log densities",
    "gen": "generator",
    "images": "labels",
    "labels": "label",
    "paths": "z",
    "transform": "images",
    "decode": "images",
    "image": "images",
    "inputs": "z|images",
    "learning_rate": "learning rate",
    "z": "outputs",
    "statistics": "mse",
}

# Beyond `ValueError`, by callable: what the docstrings allow.
_DOCUMENTED: dict[str, tuple[type[Exception], ...]] = {
    "*.__getitem__": (IndexError,),
    "datasets.downloads.*": (DatasetUnavailable,),
    "recipes.weights.load": (FileNotFoundError,),
    "training.fit": (TrainingDiverged,),
}


# An argument that the documentation says has no effect in the good call.
_WITHOUT_EFFECT = {
    "models.priors.StandardNormal.kl": ("n_samples", "generator"),
    "models.priors.DiagonalNormal.kl": ("n_samples", "generator"),
    "models.priors.FullNormal.kl": ("n_samples", "generator"),
    "models.priors.ConditionalShift.kl": ("n_samples", "generator"),
    "objectives.negative_elbo": ("progress",),
    "objectives.beta_tc": ("progress",),
    "objectives.categorical_elbo": ("progress",),
    "objectives.quantized": ("progress", "generator"),
    "objectives.dip": ("progress",),
    "objectives.info_vae": ("progress",),
    "objectives.reconstruction_only": ("progress", "generator"),
    "objectives.cross_entropy": ("progress", "generator"),
}

# What is not odd there.
_MEANT = {
    ("__getitem__", "index", "a number"),
    ("heatmap", "values", "NaN"),  # a hole in the picture
    # A name for each letter.
    ("scatter", "names", "a text"),
    ("class_violins", "names", "a text"),
    ("pairs", "names", "a text"),
    ("parallel", "names", "a text"),
    ("sap", "factors", "int64"),  # classes, where floats are numbers
    ("scores", "factors", "int64"),
}

# What may not fit another argument: a refusal may name that one.
_MISFITS = {
    *("axis", "axes", "row", "rows", "column", "empty", "one more", "larger", "colour"),
    "another module",
}


class Odd(NamedTuple):
    """An odd value of an argument.

    Attributes:
        what: it is.
        value: maps the good value to it.
        like: maps the good value to the one whose answer it must have, where there is one.
        refused: whether no answer will do.
        tolerance: of the answer to `like`.
    """

    what: str
    value: Callable[[Any], Any]
    like: Callable[[Any], Any] | None = None
    refused: bool = False
    tolerance: float = 1e-5


def _same(value: Any) -> Any:
    return value


def _holed(number: float) -> Callable[[Tensor], Tensor]:
    def make(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[0] = number
        return tensor

    return make


def _one_more(tensor: Tensor, dim: int) -> Tensor:
    return torch.cat([tensor, tensor.narrow(dim, 0, 1)], dim)


_ANYTHING_BUT = [
    Odd("None", lambda good: None, refused=True),
    Odd("a text", lambda good: "text", refused=True),
    Odd("an object", lambda good: object(), refused=True),
]

_ARRAYS = [
    Odd("not contiguous", lambda t: torch.stack([t, t], -1)[..., 0], _same),
    Odd("numpy", lambda t: t.numpy(), _same),
    Odd("a list", lambda t: t.tolist(), _same),
    Odd("on meta", lambda t: t.to("meta"), refused=True),
    Odd("one axis more", lambda t: t[None]),
    Odd("no axis", lambda t: t.flatten()[0]),
    Odd("one axis", lambda t: t.flatten()),
    Odd("empty", lambda t: t[:0]),
    Odd("empty in the last axis", lambda t: t[..., :0]),
    Odd("one row", lambda t: t[:1]),
    Odd("a row more", lambda t: _one_more(t, 0)),
    Odd("a column more", lambda t: _one_more(t, -1)),
    Odd("equal rows", lambda t: t[:1].expand_as(t)),
    Odd("complex", lambda t: t.to(torch.complex64), refused=True),
    *_ANYTHING_BUT,
    Odd("a number", lambda t: 3, refused=True),
]

_FLOATS = [
    *_ARRAYS,
    Odd("on a graph", lambda t: t.clone().requires_grad_(), _same),
    Odd("float64", lambda t: t.double(), _same, tolerance=1e-3),
    Odd("float16", lambda t: t.half(), lambda t: t.half().float(), tolerance=2e-2),
    Odd("bfloat16", lambda t: t.bfloat16(), lambda t: t.bfloat16().float(), tolerance=5e-2),
    Odd("int64", lambda t: t.round().long(), lambda t: t.round()),
    Odd("bool", lambda t: t > 0, lambda t: (t > 0).to(t)),
    Odd("zeros", torch.zeros_like),
    Odd("NaN", _holed(math.nan)),
    Odd("inf", _holed(math.inf)),
    Odd("-inf", _holed(-math.inf)),
    Odd("1e30", _holed(1e30)),
    Odd("3e38", lambda t: torch.full_like(t, 3e38)),
    Odd("1e-40", lambda t: torch.full_like(t, 1e-40)),
    Odd("negative", lambda t: -t.abs() - 1),
]

_INTEGERS = [
    *_ARRAYS,
    Odd("int32", lambda t: t.int(), _same),
    Odd("uint8", lambda t: t.byte(), _same),
    Odd("floats", lambda t: t.float(), _same),
    Odd("bool", lambda t: t > 0),
    Odd("negative", lambda t: -t - 1),
    Odd("2**62", lambda t: t + 2**62),
]

_MASKS = [
    *_ARRAYS,
    Odd("integers", lambda t: t.long(), _same),
    Odd("floats", lambda t: t.float(), _same),
    Odd("none", torch.zeros_like),
]

_COUNTS = [
    *_ANYTHING_BUT,
    Odd("0", lambda n: 0),
    Odd("-1", lambda n: -1),
    Odd("1.5", lambda n: 1.5, refused=True),
    Odd("True", lambda n: True, refused=True),
    Odd("digits", str, refused=True),
    Odd("NaN", lambda n: math.nan, refused=True),
    Odd("inf", lambda n: math.inf, refused=True),
    Odd("numpy", np.int64, _same),
    Odd("a tensor", torch.tensor, _same),
    Odd("a list", lambda n: [n], refused=True),
]

_NUMBERS = [
    *_ANYTHING_BUT,
    Odd("NaN", lambda x: math.nan, refused=True),
    Odd("inf", lambda x: math.inf),
    Odd("-inf", lambda x: -math.inf),
    Odd("negative", lambda x: -abs(x) - 1),
    Odd("0", lambda x: 0),
    Odd("1e300", lambda x: 1e300),
    Odd("1e-300", lambda x: 1e-300),
    Odd("True", lambda x: True),
    Odd("complex", lambda x: 1j, refused=True),
    Odd("numpy", np.float64, _same),
    Odd("a tensor", torch.tensor, _same),
    Odd("a list", lambda x: [x], refused=True),
]

_FLAGS = [Odd("None", lambda flag: None), Odd("a text", lambda flag: "no"), Odd("2", lambda _: 2)]

_TEXTS = [
    Odd("None", lambda text: None),
    Odd("a number", lambda text: 3),
    Odd("empty", lambda text: ""),
    Odd("another text", lambda text: "quite another"),
    Odd("NUL", lambda text: "a\0b"),
]

_CALLABLES = [
    *_ANYTHING_BUT,
    Odd("a number", lambda f: 3, refused=True),
    Odd("returns None", lambda f: lambda *args, **kwargs: None),
    Odd("returns NaN", lambda f: lambda x, *args, **kwargs: _len(x, math.nan)),
    Odd("returns one row less", lambda f: lambda x, *args, **kwargs: _len(x, 0.0)[1:]),
    Odd("returns integers", lambda f: lambda x, *args, **kwargs: _len(x, 0.0).long()),
]


def _len(x: Any, number: float) -> Tensor:
    return torch.full((len(x) if isinstance(x, Tensor) else 2,), number)


_GENERATORS = [
    Odd("a number", lambda g: 3, _same),
    Odd("a text", lambda g: "seed", _same),
    Odd("numpy's", lambda g: np.random.default_rng(0), _same),
]

_SEQUENCES = [
    *_ANYTHING_BUT,
    Odd("a number", lambda values: 3, refused=True),
    Odd("empty", lambda values: ()),
    Odd("one more", lambda values: [*values, values[0]]),
    Odd("of None", lambda values: [None for _ in values]),
    Odd("of texts", lambda values: ["a" for _ in values]),
    Odd("of NaN", lambda values: [math.nan for _ in values]),
    Odd("of -1", lambda values: [-1 for _ in values]),
    Odd("of lists", lambda values: [[value] for value in values]),
    Odd("a tuple", tuple, _same),
    Odd("a list", list, _same),
]

_MAPPINGS = [
    *_ANYTHING_BUT,
    Odd("empty", lambda mapping: {}),
    Odd("to None", lambda mapping: dict.fromkeys(mapping)),
    Odd("to NaN", lambda mapping: dict.fromkeys(mapping, math.nan)),
    Odd("pairs", lambda mapping: list(mapping.items())),
]

_MODULES = [
    *_ANYTHING_BUT,
    Odd("a number", lambda module: 3, refused=True),
    Odd("another module", lambda module: nn.Linear(5, 7)),
    Odd("its class", type, refused=True),
]

_SETS = [
    *_ANYTHING_BUT,
    Odd("a number", lambda images: 3, refused=True),
    Odd("its images", lambda images: images.images),
    Odd("without labels", lambda images: ImageSet(images.images)),
    Odd("in colour", lambda images: ImageSet(images.images.repeat(1, 3, 1, 1), images.labels)),
    Odd("larger", lambda images: image_set(len(images), 7)),
    Odd("one", lambda images: images[:1]),
    Odd("none", lambda images: images[:0]),
    Odd("standardised", lambda images: _standardised(images)),
]


def _standardised(images: ImageSet) -> ImageSet:
    return ImageSet(4 * images.images - 2, images.labels, in_unit_range=False)


_PATHS = [
    Odd("None", lambda path: None, refused=True),
    Odd("an object", lambda path: object(), refused=True),
    Odd("a number", lambda path: 3, refused=True),
    Odd("empty", lambda path: ""),
    Odd("NUL", lambda path: f"{path}\0"),
]

_OTHERS = [*_ANYTHING_BUT, Odd("a number", lambda good: 3, refused=True)]


def _kind(good: Any) -> list[Odd]:
    """The odd values for a good one."""
    if isinstance(good, Tensor):
        if good.dtype == torch.bool:
            return _MASKS
        return _FLOATS if good.is_floating_point() else _INTEGERS
    for types, values in (
        (bool, _FLAGS),
        (int, _COUNTS),
        (float, _NUMBERS),
        (str, _TEXTS),
        (Path, _PATHS),
        (Generator, _GENERATORS),
        (ImageSet, _SETS),
        (nn.Module, _MODULES),
        (Mapping, _MAPPINGS),
    ):
        if isinstance(good, types):
            return values
    if isinstance(good, tuple | list) and not hasattr(good, "_fields"):
        return _SEQUENCES
    if inspect.isfunction(good) or inspect.ismethod(good):
        return _CALLABLES
    return _OTHERS


def _none_is_meant(function: Callable[..., Any], name: str) -> bool:
    """Whether the signature says that None may stand there."""
    parameter = inspect.signature(function).parameters.get(name)
    if parameter is None or parameter.kind is parameter.VAR_KEYWORD:
        return True  # handed on to another callable, which is swept by itself
    return parameter.default is None or "None" in str(parameter.annotation)


def _leaves(answer: Any) -> Iterator[Any]:
    """The tensors and numbers of an answer."""
    if isinstance(answer, Tensor | int | float | str | None) or answer is None:
        yield answer
    elif isinstance(answer, BaseFigure | nn.Module):
        return
    elif isinstance(answer, Mapping):
        for key, value in answer.items():
            if key != "seconds":
                yield from _leaves(value)
    elif isinstance(answer, tuple | list):
        for value in answer:
            yield from _leaves(value)
    elif is_dataclass(answer) and not isinstance(answer, type):
        for field in fields(answer):
            yield from _leaves(getattr(answer, field.name))


def _tensors(answer: Any) -> list[Tensor]:
    return [leaf for leaf in _leaves(answer) if isinstance(leaf, Tensor)]


def _has_nan(answer: Any) -> bool:
    return any(
        bool(leaf.isnan().any()) if isinstance(leaf, Tensor) else leaf != leaf
        for leaf in _leaves(answer)
        if not (isinstance(leaf, Tensor) and leaf.is_meta)
    )


def _differs(answer: Any, expected: Any, tolerance: float) -> bool:
    ours, theirs = list(_leaves(answer)), list(_leaves(expected))
    return len(ours) != len(theirs) or not all(
        map(lambda a, b: _close(a, b, tolerance), ours, theirs)
    )


def _close(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        a, b = a.detach().double(), b.detach().double()
        return a.shape == b.shape and torch.allclose(a, b, tolerance, tolerance, equal_nan=True)
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) or (a != a and b != b)
    return type(a) is type(b) and a == b


def _called(name: str, replaced: Mapping[str, Callable[[Any], Any]]) -> Any:
    """Make a good call with some arguments replaced."""
    function, arguments = CALLS[name]()
    for key, change in replaced.items():
        arguments[key] = change(arguments[key])
    torch.manual_seed(0)
    random.seed(0)
    return function(**arguments)


def sweep(name: str) -> tuple[Counter[str], list[str]]:
    """Replace each argument of a good call by odd values; return outcomes and faults."""
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    function, arguments = CALLS[name]()
    good = _called(name, {})
    drawn = any(isinstance(value, Generator) for value in arguments.values())
    # Models don't look at their inputs' size, as each step of a loop asks them: what overflows in
    # them may be NaN, and NaN it must be then.
    may_be_nan = ("NaN", "inf", "-inf", *(("1e30", "3e38") if name.startswith("models.") else ()))
    documented = [
        kind
        for pattern, kinds in _DOCUMENTED.items()
        for kind in kinds
        if fnmatch.fnmatch(name, pattern)
    ]
    for key, value in arguments.items():
        if value is None:
            continue  # of no effect here, as the good call says
        for odd in _kind(value):
            if (name.rpartition(".")[2], key, odd.what) in _MEANT:
                continue
            if odd.what == "None" and _none_is_meant(function, key):
                continue
            try:
                odd_value = odd.value(value)
            except (ValueError, IndexError, RuntimeError, TypeError):
                continue  # this value has no such form
            outcomes["calls"] += 1
            said = f"{key} {odd.what}"
            try:
                answer = _called(name, {key: lambda _, odd_value=odd_value: odd_value})
            except (ValueError, *documented) as error:
                outcomes["refusals"] += 1
                names = [key, _INSIDE.get(key, key)]
                if _MISFITS & {odd.what, *odd.what.split()}:
                    names += arguments
                if not re.search(rf"\b({'|'.join(names)})\b", str(error)):
                    faults.append(f"{said}: refused without its name: {str(error)[:150]!r}")
                continue
            except Exception as error:
                if odd.what == "on meta" and re.search("meta tensor", str(error)):
                    # Torch's own refusal to make values of nothing will do.
                    outcomes["refusals"] += 1
                    continue
                outcomes["other exceptions"] += 1
                faults.append(f"{said}: {type(error).__name__}: {str(error)[:150]!r}")
                continue
            outcomes["answers"] += 1
            if odd.what == "on meta" and all(leaf.is_meta for leaf in _tensors(answer)):
                continue
            if key in _WITHOUT_EFFECT.get(name, ()):
                if _differs(answer, good, 1e-5):
                    faults.append(f"{said}: has an effect")
            elif odd.refused:
                faults.append(f"{said}: answered")
            elif type(answer) is not type(good) and not name.endswith("__getitem__"):
                faults.append(f"{said}: {type(answer).__name__}, not {type(good).__name__}")
            elif odd.what == "NaN" and not _has_nan(answer):
                faults.append(f"{said}: answered without a NaN")
            elif odd.what not in may_be_nan and _has_nan(answer):
                faults.append(f"{said}: answered with a NaN")
            elif odd.like is not None and not (drawn and odd.what == "float64"):
                expected = good if odd.like is _same else _called(name, {key: odd.like})
                if _differs(answer, expected, odd.tolerance):
                    faults.append(f"{said}: another answer")
    return outcomes, faults


_ROOT = Path(__file__).parents[2]


def sweep_alone(name: str) -> tuple[Counter[str], list[str]]:
    """The same in a process of its own, which a crash ends instead of this one."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.unit.test_odd_inputs", name]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    if done.returncode:
        return Counter(calls=1), [
            f"the process ended with {done.returncode}: {done.stderr[-500:]}"
        ]
    outcomes, faults = json.loads(done.stdout)
    return Counter(outcomes), faults


_total: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _report() -> Iterator[None]:
    """Say what came of all calls, as a line of `pytest -s`."""
    yield
    print(f"\n{_total.pop('functions', 0)} functions:", dict(_total))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.weekly] if _is_dear(name) else [])
        for name in sorted(CALLS)
    ],
)
def test_odd_arguments_get_a_right_answer_or_a_value_error(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VAEBOOK_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)  # a path may be any name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            outcomes, faults = sweep_alone(name) if name in _ALONE else sweep(name)
        except DatasetUnavailable:
            pytest.skip("MNIST is not here")
    _total.update(outcomes, functions=1)
    assert not faults, "\n".join([name, *faults])


def test_every_public_callable_has_a_good_call() -> None:
    found = public()
    exempt = {name for pattern in EXEMPT for name in fnmatch.filter(found, pattern)}
    # A named tuple holds what a function has returned.
    records = {n for n, f in found.items() if isinstance(f, type) and issubclass(f, tuple)}
    assert sorted(found.keys() - CALLS.keys() - exempt - records) == []
    assert sorted(CALLS.keys() - found.keys()) == []
    assert [pattern for pattern in EXEMPT if not fnmatch.filter(found, pattern)] == []


def test_a_good_call_gives_all_arguments() -> None:
    for name, make in CALLS.items():
        function, arguments = make()
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            assert parameter.name in arguments, f"{name} lacks {parameter.name}"


@pytest.mark.filterwarnings("ignore:Casting complex")
def test_the_sweep_finds_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to fail, planted."""

    def careless(x: Tensor, n: int) -> Tensor:
        if n < 0:
            raise ValueError("wrong")  # does not say what
        if not x.is_floating_point():
            return x.float().mean() + n + 1  # another answer
        return x.nan_to_num().mean() + n  # hides a NaN

    monkeypatch.setitem(CALLS, "careless", lambda: (careless, {"x": torch.ones(3), "n": 2}))
    _, faults = sweep("careless")
    for fault in (
        "x a list: AttributeError",
        "x NaN: answered without a NaN",
        "x int64: another answer",
        "n -1: refused without its name",
        "n True: answered",
        "n 1.5: answered",
    ):
        assert any(found.startswith(fault) for found in faults), fault


if __name__ == "__main__":
    torch.set_num_threads(1)
    json.dump(sweep(sys.argv[1]), sys.stdout)
