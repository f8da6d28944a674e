"""Answers with known marks, a file for each: right ones in other styles, and what goes wrong.

A file holds functions that take the place of the master's. Its first line is its title; that of a
wrong answer has a second one, with the tests that it loses. It loses those and no others, whatever
the seed: a mistake costs the tests of its own part.
"""

__all__ = ["RIGHT", "WRONG", "Answer", "errors"]

import warnings
from dataclasses import dataclass
from pathlib import Path

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


def errors(answer: Answer, exam: judge.Exam, seed: int, tests: list[str]) -> dict[str, str]:
    """Return what these tests say of an answer, in this process: the bank can be trusted."""
    found = {}
    for test in tests:
        space = exam.namespace()
        right = {name: space[name] for name in exam.earlier(test)}
        exec(compile(answer.code, answer.name, "exec"), space)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a wrong answer may overflow
            for replaced in ({}, right):
                space |= replaced
                functions = {name: space[name] for name in exam.tested(test)}
                if not (error := exam.judge(test, seed, functions)):
                    break
        found[test] = error
    return found
