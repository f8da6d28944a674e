"""What a master's tests say of functions, wherever those run.

The tests run in the grader's process and call the functions that they are given. Those may stand
in this process, as the bank's do in the checks of the assignments, or in a student's sandbox: then
a test's inputs go there, and what comes back are numbers and words.
"""

__all__ = ["Exam"]

import ast
import functools
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any


@dataclass(frozen=True)
class Exam:
    """The code of a master.

    Attributes:
        given: cells that are neither solutions nor tests, the helpers of the tests first.
        solutions: the right functions, in order.
        tests: by name.
    """

    given: tuple[str, ...]
    solutions: tuple[str, ...]
    tests: dict[str, str]

    def tested(self, test: str) -> list[str]:
        """Return the functions that a test is about: those of the last cell that it names."""
        called = _names(self.tests[test])
        for solution in reversed(self.solutions):
            if called & (defined := _defined(solution)).keys():
                return list(defined)
        raise ValueError(f"{test} must call a function that is to be written")

    def earlier(self, test: str) -> list[str]:
        """Return the functions that were to be written before those."""
        first = self.tested(test)[0]
        names: list[str] = []
        for solution in self.solutions:
            defined = _defined(solution)
            if first in defined:
                return names
            names += defined
        raise ValueError(test)

    def namespace(self) -> dict[str, Any]:
        """Return the master's functions and the helpers of its tests."""
        space: dict[str, Any] = {"__name__": "__main__"}
        for source in (*self.given, *self.solutions):
            if _defined(source):
                exec(_compiled(source), space)
            else:
                space |= _loaded(source)
        return space

    def right(self, test: str) -> dict[str, Callable[..., Any]]:
        """Return the earlier functions as they should be, for arrays, tensors and lists."""
        space = self.namespace()
        return {name: _for_all(space[name]) for name in self.earlier(test)}

    def judge(self, test: str, seed: int, functions: Mapping[str, Callable[..., Any]]) -> str:
        """Run a test on functions; return what it says, nothing if they pass.

        What the test calls beside the functions that it is about is the master's.
        """
        space = self.namespace()
        space["SEED"] = seed
        space.update(functions)
        try:
            with warnings.catch_warnings(action="ignore"):  # of numbers that a student returns
                exec(_compiled(self.tests[test], test), space)
        except NotImplementedError as error:  # torch too raises it, with what it lacks
            return f"NotImplementedError: {error}"[:1_000] if str(error) else "not written yet"
        except AssertionError as error:
            return (str(error) or "wrong")[:4_000]
        except MemoryError:  # this process's: what a student's function raises has another class
            raise
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:1_000]
        return ""


@functools.cache
def _compiled(source: str, name: str = "master") -> CodeType:
    return compile(source, f"<{name}>", "exec")


@functools.cache
def _loaded(source: str) -> dict[str, Any]:
    """What a cell without functions defines: models and images, which take a second to load."""
    space: dict[str, Any] = {}
    exec(_compiled(source), space)
    del space["__builtins__"]
    return space


@functools.cache
def _names(source: str) -> frozenset[str]:
    return frozenset(n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name))


@functools.cache
def _defined(source: str) -> dict[str, None]:
    return {n.name: None for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}


def _for_all(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays, made one of tensors and lists too."""

    def call(*arguments: Any, **named: Any) -> Any:
        import numpy as np

        torch: Any = sys.modules.get("torch")
        tensors = [a for a in arguments if torch is not None and isinstance(a, torch.Tensor)]
        arrays = [
            np.asarray(a) if isinstance(a, list) or any(a is t for t in tensors) else a
            for a in arguments
        ]
        result = function(*arrays, **named)
        if tensors and not isinstance(result, tuple):
            return torch.as_tensor(result).to(tensors[0].dtype)
        return result

    return call
