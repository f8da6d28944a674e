"""Answers with known marks, a file for each: right ones in other styles, and what goes wrong.

A file holds functions that take the place of the master's. Its first line is its title; that of a
wrong answer has a second one, with the tests that it loses. It loses those and no others, whatever
the seed: a mistake costs the tests of its own part.
"""

__all__ = ["RIGHT", "WRONG", "Answer", "compiled", "explain"]

import contextlib
import copy
import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

import judge

_FOLDER = Path(__file__).resolve().parent / "answers"


@dataclass(frozen=True)
class Answer:
    """A file of the bank.

    Attributes:
        name: of the file.
        title: what is right or wrong about it.
        assignment: of which it answers a part.
        code: of the file.
        loses: the tests that it fails.
    """

    name: str
    title: str
    assignment: str
    code: str
    loses: tuple[str, ...] = ()


def _read(kind: str) -> list[Answer]:
    answers = []
    for path in sorted((_FOLDER / kind).glob("*.py")):
        code = path.read_text(encoding="utf-8")
        first, second = code.split("\n")[:2]
        loses = second.removeprefix("# loses: ").split() if second.startswith("# loses: ") else []
        assignment = "_".join(path.stem.split("_")[:2])
        answers.append(Answer(path.stem, first.removeprefix("# "), assignment, code, tuple(loses)))
    return answers


RIGHT, WRONG = _read("right"), _read("wrong")


@functools.cache
def compiled(answer: Answer) -> CodeType:
    """Return the code of an answer, ready to run."""
    return compile(answer.code, answer.name, "exec")


# ---------------------------------------------------------------------------------------------
# What a student is told of a mistake

_Call = tuple[str, tuple[Any, ...], Any]  # a function's name, its arguments and its result


def explain(
    exam: judge.Exam, test: str, seed: int, functions: Mapping[str, Callable[..., Any]]
) -> str:
    """Fail a test once more, on inputs that are not its own, and say what went wrong with them.

    Returns:
        What the test says of the first inputs on which the functions fail, with the title of the
        wrong answers in the bank that give the same numbers; nothing if they fail on no others.
    """
    calls: list[_Call] = []
    recorded = {name: _recorded(name, f, calls) for name, f in functions.items()}
    # More than one, as wrong answers may agree on some inputs.
    errors = [exam.judge(test, (seed + other) % 2**32, recorded) for other in (1, 2, 3)]
    error = next(filter(None, errors), "")
    if error and (titles := _mistakes(exam, test, calls)):
        error += f"\nThese are the numbers of a known mistake: {', or '.join(titles)}."
    return error


def _recorded(name: str, function: Callable[..., Any], calls: list[_Call]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        given = copy.deepcopy([a for a in arguments if not callable(a)])
        result = function(*arguments)
        kept = iter(given)
        calls.append((name, tuple(a if callable(a) else next(kept) for a in arguments), result))
        return result

    return call


def _mistakes(exam: judge.Exam, test: str, calls: list[_Call]) -> list[str]:
    """The wrong answers that return the same numbers."""
    numbers = exam.namespace()["_numbers"]
    told: list[tuple[str, tuple[Any, ...], np.ndarray]] = []
    for name, arguments, result in calls:
        # Each input goes in as arrays first; what was drawn at random cannot come out again.
        if all(isinstance(a, (np.ndarray, int, float, str)) or callable(a) for a in arguments):
            with contextlib.suppress(Exception):
                told.append((name, arguments, numbers(result)))
    found = []
    for answer in WRONG if told else []:
        if test not in answer.loses:
            continue
        space = exam.namespace()
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            exec(compiled(answer), space)
            pairs = [(numbers(space[n](*copy.deepcopy(a))), result) for n, a, result in told]
            if all(a.shape == b.shape and _same(a, b) for a, b in pairs):
                found.append(answer.title)
    return found


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.allclose(a, b, 2e-5, 1e-5, equal_nan=True)
