"""The fingerprint changes with what decides a result, and with nothing else."""

import functools
import hashlib
import importlib
import linecache
import math
import random
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from vaebook import objectives
from vaebook.datasets import ImageSet, add_noise, binarize
from vaebook.fingerprint import describe, fingerprint, version
from vaebook.models import (
    VAE,
    Bernoulli,
    ConstrainedGaussian,
    Gaussian,
    GecoGaussian,
    LearnedGaussian,
    OptimalGaussian,
)
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift, DiagonalNormal, StandardNormal
from vaebook.training import Recorder, one_cycle


def same(one, other):
    return fingerprint(part=one) == fingerprint(part=other)


def typed(source, name="f", **given):
    """Run a cell as IPython does: with its lines where tracebacks and `inspect` look for them."""
    source = textwrap.dedent(source)
    file = f"<cell {hashlib.sha256(source.encode()).hexdigest()}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space = {"__name__": "__main__", **given}
    exec(compile(source, file, "exec"), space)
    return space[name]


def nowhere(source, name="f", **given):
    """Run a source that is kept in no file."""
    space = {"__name__": "__main__", **given}
    exec(textwrap.dedent(source), space)
    return space[name]


# ---------------------------------------------------------------------------------------------
# Values


@dataclass
class Settings:
    width: int
    rate: float = 0.5


class Plain:
    def __init__(self, value):
        self.value = value


def images(seed=0, labels=False):
    pixels = torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(seed))
    return ImageSet(pixels, torch.arange(4) if labels else None)


# Makers of equal values on every call; none of which is equal to another.
VALUES = {
    "none": lambda: None,
    "true": lambda: True,
    "int": lambda: 1,
    "another int": lambda: 2,
    "float": lambda: 0.1,
    "another float": lambda: math.nextafter(0.1, 1),
    "nan": lambda: math.nan,
    "inf": lambda: -math.inf,
    "complex": lambda: 1 + 2j,
    "text": lambda: "beta",
    "bytes": lambda: b"beta",
    "path": lambda: Path("data/images"),
    "dtype": lambda: torch.float64,
    "list": lambda: [1, 2.0, "x"],
    "other order": lambda: [2.0, 1, "x"],
    "nested": lambda: [[1], [2.0, "x"]],
    "set": lambda: set(random.sample("abcdef", 6)),
    "mapping": lambda: {"a": 1, "b": {"c": 2}},
    "keys that are numbers": lambda: {1: "a", 2.5: "b", (1, 2): "c"},
    "tensor": lambda: torch.arange(6.0),
    "its shape": lambda: torch.arange(6.0).reshape(2, 3),
    "its dtype": lambda: torch.arange(6.0).double(),
    "ints": lambda: torch.arange(6),
    "bools": lambda: torch.arange(6) > 2,
    "one number of it": lambda: torch.arange(6.0).index_fill(0, torch.tensor(3), 3.001),
    "array": lambda: np.array([0.5, -1.5]),
    "images": images,
    "other images": lambda: images(1),
    "with labels": lambda: images(labels=True),
    "dataclass": lambda: Settings(3),
    "other field": lambda: Settings(3, 0.25),
    "object": lambda: Plain(3),
    "its attribute": lambda: Plain(4),
    "attribute deep within": lambda: Plain(Plain(3)),
    "builtin": lambda: math.exp,
    "another builtin": lambda: math.log,
    "torch": lambda: torch.relu,
    "numpy": lambda: np.exp,
    "another of numpy's": lambda: np.log,
    "class": lambda: nn.ReLU,
    "another class": lambda: nn.Tanh,
    "partial": lambda: partial(objectives.negative_elbo, beta=4.0),
    "its argument": lambda: partial(objectives.negative_elbo, beta=2.0),
    "its function": lambda: partial(objectives.reconstruction_only, beta=4.0),
    "method": lambda: Settings(3).__eq__,
    "method of a tensor": lambda: torch.arange(3.0).mul,
    "method of another": lambda: torch.arange(4.0).mul,
    "module": lambda: math,
    "observer": lambda: Recorder(math.exp, [0, 1]),
    "dataset": lambda: TensorDataset(torch.zeros(2)),
    "lru_cache": lambda: functools.lru_cache(one_cycle),
}


@pytest.mark.slow
def test_values_are_alike_when_made_again_and_no_two_kinds_are():
    found = {name: fingerprint(part=make()) for name, make in VALUES.items()}
    again = {name: fingerprint(part=make()) for name, make in VALUES.items()}
    assert found == again
    for one, other in combinations(found, 2):
        assert found[one] != found[other], (one, other)


def test_a_fingerprint_is_sixteen_hexadecimal_digits():
    found = fingerprint(beta=1.0)
    assert len(found) == 16
    assert set(found) <= set("0123456789abcdef")


def test_the_name_of_a_part_counts_and_its_place_does_not():
    assert fingerprint(a=1, b=2) == fingerprint(b=2, a=1)
    assert fingerprint(a=1, b=2) != fingerprint(a=2, b=1)
    assert same({"x": 1, "y": [2]}, {"y": [2], "x": 1})


def test_sequences_of_equal_things_are_alike_whatever_holds_them():
    assert same((1, 2), [1, 2])
    assert same(range(3), [0, 1, 2])


def test_numbers_of_numpy_are_those_of_python():
    assert same(np.float64(0.1), 0.1)
    assert same(np.int64(3), 3)
    assert same(np.float32(0.5), 0.5)


def test_a_part_is_the_same_wherever_its_tensor_lies():
    value = torch.arange(12.0).reshape(3, 4)
    assert same(value, value.T.contiguous().T)
    assert same(value, value.clone().requires_grad_())
    assert same(value, torch.arange(24.0)[:12].reshape(3, 4))


def test_the_last_digits_of_a_tensor_do_not_count():
    value = torch.tensor([0.1, 3.0, 1e-7])
    assert same(value, value * (1 + 1e-7))
    assert not same(value, value * (1 + 1e-4))


@pytest.mark.slow
def test_a_large_tensor_counts_to_its_last_number():
    value = torch.zeros(200_000)
    other = value.clone()
    other[-1] = 1
    assert same(value, value.clone())
    assert not same(value, other)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        torch.Generator(),
        np.random.default_rng(0),
        iter([1]),
        (number for number in [1]),
        np.array(["a"]),
        np.array([object()]),
    ],
)
def test_what_cannot_be_described_is_refused(value):
    for part in (value, [value], {"a": value}, partial(math.exp, value)):
        with pytest.raises(ValueError, match="has no fingerprint"):
            fingerprint(part=part)


def test_an_open_file_is_refused(tmp_path):
    with (tmp_path / "x").open("w") as file, pytest.raises(ValueError, match="has no fingerprint"):
        fingerprint(part=file)


def test_things_that_hold_themselves_are_described():
    one, other = Plain(None), Plain(None)
    one.value, other.value = one, [other]
    assert not same(one, other)
    loop: list[object] = []
    loop.append(loop)
    describe(loop)


@pytest.mark.slow
def test_a_fingerprint_is_the_same_in_another_process():
    program = (
        "from functools import partial; import torch; from vaebook import objectives;"
        "from vaebook.fingerprint import fingerprint;"
        "f = lambda x: x in {'a', 'b', 'c', 'd'};"
        "print(fingerprint(a=partial(objectives.negative_elbo, beta=4.0), b=set('abcdef'),"
        " c=torch.linspace(0, 1, 7), d=f))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == 16


# ---------------------------------------------------------------------------------------------
# Functions


def test_functions_of_the_package_count_by_name_and_version(monkeypatch):
    before = fingerprint(part=objectives.negative_elbo)
    assert describe(objectives.negative_elbo) == {"function": "negative_elbo", "version": 1}
    assert fingerprint(part=objectives.reconstruction_only) != before
    monkeypatch.setattr(objectives.negative_elbo, "version", 2, raising=False)
    assert fingerprint(part=objectives.negative_elbo) != before


def test_a_version_that_is_raised_changes_what_is_made_of_the_function_too(monkeypatch):
    before = fingerprint(part=partial(add_noise, scale=0.1))
    monkeypatch.setattr(add_noise, "version", 2, raising=False)
    assert fingerprint(part=partial(add_noise, scale=0.1)) != before


def test_a_version_is_a_number_on_the_function():
    assert vars(version(3)(lambda: None)) == {"version": 3}
    with pytest.raises(ValueError, match="number must be a whole number"):
        version(0)


def test_partial_applications_are_unrolled():
    inner = partial(objectives.negative_elbo, beta=4.0)
    assert same(partial(inner), inner)
    assert not same(partial(inner, beta=2.0), inner)
    assert not same(partial(one_cycle), partial(binarize))


@pytest.mark.slow
@pytest.mark.parametrize("run", [typed, nowhere])
def test_a_function_that_is_typed_again_is_the_same_and_a_changed_one_is_not(run):
    source = "def f(x):\n    return 2 * x + 1\n"
    assert same(run(source), run(source))
    assert not same(run(source), run(source.replace("2", "3")))
    assert not same(run(source), run(source.replace("+", "-")))
    assert not same(run(source), run(source.replace("x + 1", "x.sum() + 1")))


@pytest.mark.slow
def test_comments_and_docstrings_do_not_count_and_what_shares_their_line_does():
    plain = typed("def f(x):\n    return x + 1")
    described = """
        def f(x):
            '''Add one,

            and nothing else.'''
            # So much for that.
            return x + 1  # one
    """
    assert same(plain, typed(described))
    assert not same(plain, typed("def f(x):\n    'Add.'; x += 1\n    return x + 1"))
    assert not same(typed("def f(x): 'a'"), typed("def f(x): 'b'"))
    assert not same(plain, typed("def f(x):\n    'a'\n    'b'\n    return x + 1"))


@pytest.mark.slow
@pytest.mark.parametrize("run", [typed, nowhere])
def test_what_a_function_finds_outside_counts(run):
    source = "def f(x):\n    return scale * x\n"
    assert same(run(source, scale=2.0), run(source, scale=2.0, other=1))
    assert not same(run(source, scale=2.0), run(source, scale=3.0))
    tensors = [torch.zeros(3), torch.ones(3)]
    assert not same(*(run(source, scale=value) for value in tensors))
    arrays = [np.zeros(3), np.ones(3)]
    assert not same(*(run(source, scale=value) for value in arrays))
    objects = [Plain(1), Plain(2)]
    assert not same(*(run(source, scale=value) for value in objects))


@pytest.mark.slow
@pytest.mark.parametrize("run", [typed, nowhere])
@pytest.mark.parametrize(
    "body",
    [
        "return helper(x)",
        "return [helper(part) for part in x]",
        "return (lambda part: helper(part))(x)",
        "def inner():\n        return helper(x)\n    return inner()",
    ],
)
def test_a_helper_that_changes_changes_who_calls_it_however_deep(run, body):
    source = f"def f(x):\n    {body}\n"
    one, other = (typed(f"def helper(x):\n    return x + {n}\n", "helper") for n in (1, 2))
    assert same(run(source, helper=one), run(source, helper=one))
    assert not same(run(source, helper=one), run(source, helper=other))


def test_what_is_asked_of_a_readers_module_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    modules = []
    for n in (1, 2):
        (tmp_path / f"helpers_{n}.py").write_text(
            f"def add(x):\n    return x + {n}\n\nSCALE = {n}\n"
        )
        modules.append(importlib.import_module(f"helpers_{n}"))
    for body in ("helpers.add(x)", "helpers.SCALE"):
        one, other = (typed(f"def f(x):\n    return {body}\n", helpers=m) for m in modules)
        assert not same(one, other)


def test_a_file_that_was_edited_does_not_speak_for_what_was_read_before(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "edited_later.py"
    file.write_text("def f(x):\n    return x + 1\n")
    module = importlib.import_module("edited_later")
    file.write_text("def f(x):\n    return x + 20\n")
    before = fingerprint(part=module.f)
    importlib.reload(module)
    assert module.f(0) == 20
    assert fingerprint(part=module.f) != before
    assert same(module.f, typed("def f(x):\n    return x + 20\n"))


@pytest.mark.parametrize("run", [typed, nowhere])
def test_defaults_count(run):
    assert not same(run("def f(x, n=1):\n    return n\n"), run("def f(x, n=2):\n    return n\n"))
    one, other = (run("def f(x, n=given):\n    return n\n", given=n) for n in (1, 2))
    assert not same(one, other)
    one, other = (run("def f(x, *, n=given):\n    return n\n", given=n) for n in (1, 2))
    assert not same(one, other)


def scaler(factor):
    def scale(x):
        return factor * x

    return scale


@pytest.mark.parametrize(
    ("one", "other"), [(1, 2), (torch.zeros(2), torch.ones(2)), ([1], [2]), (Plain(1), Plain(2))]
)
def test_what_a_closure_holds_counts(one, other):
    assert same(scaler(one), scaler(one))
    assert not same(scaler(one), scaler(other))


def test_lambdas_on_one_line_are_told_apart():
    one, other, again = (lambda x: x + 1), (lambda x: x + 2), (lambda x: x + 1)
    assert same(one, again)
    assert not same(one, other)
    inner = [(lambda x: (lambda y: y + 1)(x)), (lambda x: (lambda y: y + 2)(x))]
    assert not same(*inner)
    assert same(inner[0], lambda x: (lambda y: y + 1)(x))


def test_functions_that_call_themselves_or_each_other_are_described():
    source = """
        def even(n):
            return n == 0 or odd(n - 1)

        def odd(n):
            return n != {} and even(n - 1)
    """
    one, again, other = (typed(source.format(n), "even") for n in (0, 0, 5))
    assert same(one, again)
    assert not same(one, other)


def doubled(factor):
    def wrap(function):
        @functools.wraps(function)
        def wrapper(*args, **settings):
            return factor * function(*args, **settings)

        return wrapper

    return wrap


def test_a_wrapper_is_not_taken_for_what_it_wraps():
    two, three = doubled(2)(one_cycle), doubled(3)(one_cycle)
    assert not same(two, one_cycle)
    assert not same(two, three)
    assert same(two, doubled(2)(one_cycle))


def test_a_reader_may_not_hide_behind_the_names_of_the_package():
    fake = nowhere("def one_cycle(progress):\n    return 1.0\n", "one_cycle")
    fake.__module__ = "vaebook.training"
    assert not same(fake, one_cycle)


# ---------------------------------------------------------------------------------------------
# Classes


CLASS = """
    class Base:
        rate = {rate}

        def helped(self, x):
            return {helped} * x

    class Mine(Base):
        def __init__(self, width=3):
            self.width = width

        def __call__(self, x):
            return self.helped(x) + {added}

        @property
        def double(self):
            return {doubled} * self.width

        @staticmethod
        def nothing():
            return {nothing}
"""
FIELDS = {"rate": 1, "helped": 2, "added": 3, "doubled": 4, "nothing": 5}


@pytest.mark.slow
@pytest.mark.parametrize("run", [typed, nowhere])
@pytest.mark.parametrize("field", FIELDS)
def test_a_class_counts_with_all_its_methods_attributes_and_bases(run, field):
    one, again = (run(CLASS.format(**FIELDS), "Mine") for _ in range(2))
    other = run(CLASS.format(**FIELDS | {field: 9}), "Mine")
    assert same(one, again)
    assert same(one(), again())
    assert not same(one, other)
    assert not same(one(), other())
    assert not same(one(), one(4))


def test_what_says_nothing_inside_an_object_counts_by_its_class():
    assert same(Plain(torch.Generator()), Plain(torch.Generator()))
    assert not same(Plain(torch.Generator()), Plain(iter([])))


# ---------------------------------------------------------------------------------------------
# Networks and models


def model(**changes):
    settings = {
        "encoder": lambda: MLPEncoder(4, (8,), (1, 4, 4)),
        "decoder": lambda: MLPDecoder(2, (8,), (1, 4, 4)),
        "likelihood": Bernoulli,
        "prior": lambda: StandardNormal(2),
        "n_classes": 0,
    } | changes
    n_classes = settings.pop("n_classes")
    parts = {name: make() for name, make in settings.items()}
    return VAE(latent_dim=2, n_classes=n_classes, **parts)


def brightness(pixels):
    return pixels.flatten(1).mean(1)


MODELS = {
    "plain": {},
    "torch's start": {"encoder": lambda: MLPEncoder(4, (8,), (1, 4, 4), initial="torch")},
    "another width": {"encoder": lambda: MLPEncoder(4, (9,), (1, 4, 4))},
    "another depth": {"encoder": lambda: MLPEncoder(4, (8, 8), (1, 4, 4))},
    "another shape": {"decoder": lambda: MLPDecoder(2, (8,), (1, 2, 8))},
    "channels": {"encoder": lambda: MLPEncoder(4, (8,), (3, 4, 4))},
    "convolutions": {"encoder": lambda: ConvEncoder(4, (4,), shape=(1, 12, 12))},
    "strides": {"encoder": lambda: ConvEncoder(4, (4,), (2,), shape=(1, 12, 12))},
    "other strides": {"encoder": lambda: ConvEncoder(4, (4,), (3,), shape=(1, 12, 12))},
    "transposed": {"decoder": lambda: ConvDecoder(2, (4,), shape=(1, 4, 4))},
    "Gaussian": {"likelihood": Gaussian},
    "its variance": {"likelihood": partial(Gaussian, 0.25)},
    "learned": {"likelihood": LearnedGaussian},
    "optimal": {"likelihood": OptimalGaussian},
    "where it starts": {"likelihood": partial(OptimalGaussian, 0.25)},
    "constrained": {"likelihood": ConstrainedGaussian},
    "geco": {"likelihood": GecoGaussian},
    "tolerance": {"likelihood": partial(ConstrainedGaussian, 0.25)},
    "prior": {"prior": lambda: DiagonalNormal(torch.zeros(2), torch.zeros(2))},
    "its mean": {"prior": lambda: DiagonalNormal(torch.ones(2), torch.zeros(2))},
    "shift": {"prior": lambda: ConditionalShift(2, 1.0, brightness)},
    "rate": {"prior": lambda: ConditionalShift(2, 2.0, brightness)},
    "score": {"prior": lambda: ConditionalShift(2, 1.0, lambda pixels: pixels.sum((1, 2, 3)))},
    "conditional": {"n_classes": 3, "decoder": lambda: MLPDecoder(5, (8,), (1, 4, 4))},
}


def test_models_that_differ_in_one_thing_differ_and_weights_do_not_count():
    found, again = (
        {name: fingerprint(part=model(**changes)) for name, changes in MODELS.items()}
        for _ in range(2)
    )
    assert found == again
    for one, other in combinations(found, 2):
        assert found[one] != found[other], (one, other)


@pytest.mark.parametrize("kind", [MLPEncoder, Bernoulli, StandardNormal, VAE])
def test_a_version_that_is_raised_on_a_class_changes_the_models(kind, monkeypatch):
    before = fingerprint(part=model())
    monkeypatch.setattr(kind, "version", 7, raising=False)
    assert fingerprint(part=model()) != before


@pytest.mark.parametrize("likelihood", [Bernoulli, LearnedGaussian, OptimalGaussian])
def test_training_a_model_does_not_change_its_fingerprint(likelihood):
    trained = model(likelihood=likelihood)
    before = fingerprint(part=trained)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1)
    trained.likelihood.adapt({"mse": 0.1})
    trained.eval()
    assert fingerprint(part=trained) == before


@pytest.mark.slow
def test_running_statistics_do_not_count_but_what_a_reader_keeps_does():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = fingerprint(part=network)
    network(torch.randn(8, 2))
    assert fingerprint(part=network) == before

    source = """
        class Mine(nn.Module):
            def __init__(self, scale, _shift, table):
                super().__init__()
                self.scale, self._shift = scale, _shift
                self.register_buffer("table", table)

            def forward(self, x):
                return x
    """
    kind = typed(source, "Mine", nn=nn)
    start = (1.0, 2.0, torch.zeros(2))
    assert same(kind(*start), kind(*start))
    for other in (
        (9.0, 2.0, torch.zeros(2)),
        (1.0, 9.0, torch.zeros(2)),
        (1.0, 2.0, torch.ones(2)),
    ):
        assert not same(kind(*start), kind(*other))
    assert not same(
        kind(*start), typed(source.replace("return x", "return 2 * x"), "Mine", nn=nn)(*start)
    )


def test_frozen_weights_and_weights_of_another_type_are_told():
    assert not same(model(), model().requires_grad_(False))
    assert not same(model(), model().double())
