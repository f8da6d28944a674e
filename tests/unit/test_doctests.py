"""The examples in the docstrings: all of them run, and every public callable has one."""

import doctest
import fnmatch
import importlib
import inspect
import pkgutil

import pytest
import torch

import vaebook
from tests.unit.public_calls import EXEMPT, public

pytestmark = pytest.mark.slow

_MODULES = [info.name for info in pkgutil.walk_packages(vaebook.__path__, "vaebook.")]

# What has no example, beside what `EXEMPT` says serves inside or is abstract.
_WITHOUT = {
    "figures.renderer.Figure": "described by its methods",
    "live.page.Live": "returned by the live figures, whose examples use it",
    "models.likelihoods.Likelihood": "abstract",
    "recipes.measure.*": "a docstring is the convention on the card",
    "training.History": "returned by fit, whose example uses it",
}


@pytest.mark.parametrize("name", _MODULES)
def test_the_examples_of_a_module_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    module = importlib.import_module(name)
    failed = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed
    assert failed == 0, capsys.readouterr().out


def test_every_public_function_and_class_has_an_example() -> None:
    found = {
        name: thing
        for name, thing in public().items()
        # A method has its class's, and a named tuple is what functions return.
        if (inspect.isfunction(thing) and not name.split(".")[-2][0].isupper())
        or (inspect.isclass(thing) and not issubclass(thing, tuple))
    }
    exempt = {n for pattern in EXEMPT | _WITHOUT for n in fnmatch.filter(found, pattern)}
    lacking = {name for name, thing in found.items() if ">>>" not in (thing.__doc__ or "")}
    assert sorted(lacking - exempt) == []
    assert [pattern for pattern in _WITHOUT if not fnmatch.filter(lacking, pattern)] == []
