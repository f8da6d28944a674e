"""The masters: notebooks in nbgrader's format, of which the students' are made."""

__all__ = [
    "ANSWER",
    "Assignment",
    "first_line",
    "grade_id",
    "is_run",
    "load",
    "masters",
    "release",
]

import ast
import functools
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from judge import Exam

SOURCE = Path(__file__).resolve().parent / "source"
STUB, ANSWER = "# YOUR CODE HERE\nraise NotImplementedError()", "YOUR ANSWER HERE"
_SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION[ \t]*$", re.S | re.M)
_HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[ \t]*\n?", re.S | re.M)


@dataclass(frozen=True)
class Assignment:
    """A master: its notebook and what its cells are for, by grade_id."""

    name: str
    notebook: NotebookNode
    roles: dict[str, dict[str, Any]]

    @property
    def title(self) -> str:
        """The first heading."""
        return str(self.notebook.cells[0].source.split("\n")[0].lstrip("# "))

    @functools.cached_property
    def cells(self) -> dict[str, NotebookNode]:
        """The cells that have a grade_id."""
        return {grade_id(cell): cell for cell in self.notebook.cells if grade_id(cell)}

    @functools.cached_property
    def released(self) -> dict[str, str]:
        """The sources of these cells as the students get them."""
        return {grade_id(cell): cell.source for cell in release(self).cells if grade_id(cell)}

    @functools.cached_property
    def first_lines(self) -> dict[str, str]:
        """Which cell begins with that line; no two do, but for those that are to be answered."""
        sources = self.released.items()
        return {first_line(source): name for name, source in sources if name not in self.written}

    @property
    def tests(self) -> dict[str, float]:
        """The points of each automatic test, in order."""
        return self._points(written=False)

    @property
    def written(self) -> dict[str, float]:
        """The points of each answer that a person marks."""
        return self._points(written=True)

    @property
    def helpers(self) -> str:
        """The name of the cell with the helpers of the tests."""
        return next(name for name in self.roles if name.endswith("-helpers"))

    @property
    def given(self) -> list[str]:
        """The cells that are run whatever became of them: helpers, and what the package brings."""
        return [name for name in self.roles if name.endswith(("-helpers", "-given"))]

    @functools.cached_property
    def headings(self) -> dict[str, str]:
        """The written answer that follows a cell."""
        names = list(self.cells)
        return {names[names.index(answer) - 1]: answer for answer in self.written}

    @functools.cached_property
    def asked(self) -> dict[str, str]:
        """The cell that asks for a written answer: the last text before it."""
        found, text = {}, ""
        for name, cell in self.cells.items():
            if name in self.written:
                found[name] = text
            elif cell.cell_type == "markdown":
                text = name
        return found

    @functools.cached_property
    def questions(self) -> dict[str, str]:
        """What a written answer answers."""
        return {name: str(self.cells[text].source) for name, text in self.asked.items()}

    @functools.cached_property
    def rubrics(self) -> dict[str, str]:
        """What a written answer gets points for; only the master says so, below its own."""
        return {n: self.cells[n].source.partition("**Rubric**")[2].strip() for n in self.written}

    @functools.cached_property
    def cell_of(self) -> dict[str, str]:
        """The cell in which a function is to be written."""
        return {
            node.name: name
            for name, cell in self.cells.items()
            if cell.cell_type == "code" and self.roles[name]["solution"]
            for node in ast.parse(cell.source).body
            if isinstance(node, ast.FunctionDef)
        }

    @property
    def functions(self) -> set[str]:
        """What is to be written."""
        return set(self.cell_of)

    @functools.cached_property
    def exam(self) -> Exam:
        """The code, for the judge."""
        code = {n: c.source for n, c in self.cells.items() if c.cell_type == "code"}
        code = {n: s for n, s in code.items() if is_run(n)}
        solutions = tuple(s for n, s in code.items() if self.roles[n]["solution"])
        given = tuple(
            s for n, s in code.items() if not self.roles[n]["solution"] and n not in self.tests
        )
        return Exam(given, solutions, {name: code[name] for name in self.tests})

    def _points(self, written: bool) -> dict[str, float]:
        graded = {n: r for n, r in self.roles.items() if r["grade"] and r["solution"] is written}
        return {name: float(role["points"]) for name, role in graded.items()}


def load(path: Path) -> Assignment:
    """Read a master and check that it can be one.

    Raises:
        ValueError: when two cells share an id, a test has no points, or a solution no markers.
    """
    notebook = nbformat.read(path, as_version=4)
    ids = [name for name in map(grade_id, notebook.cells) if name]
    if twice := [name for name, count in Counter(ids).items() if count > 1]:
        raise ValueError(f"{path.name}: each grade_id must be there once, {twice} are not")
    roles = {grade_id(c): dict(c.metadata.nbgrader) for c in notebook.cells if grade_id(c)}
    for cell in notebook.cells:
        role = roles.get(grade_id(cell), {})
        if role.get("grade") and not role.get("points", 0) > 0:
            raise ValueError(f"{path.name}: {grade_id(cell)} must have points above 0")
        if role.get("solution") and cell.cell_type == "code" and not _SOLUTION.search(cell.source):
            raise ValueError(f"{path.name}: {grade_id(cell)} must mark its solution for removal")
    return Assignment(path.stem, notebook, roles)


def masters(source: Path = SOURCE) -> dict[str, Assignment]:
    """Read all masters, in order."""
    return {path.stem: load(path) for path in sorted(source.glob("*/*.ipynb"))}


def release(assignment: Assignment) -> NotebookNode:
    """Return the students' version: no solutions, no hidden tests, no outputs, tests locked."""
    notebook = nbformat.from_dict(assignment.notebook)
    for cell in notebook.cells:
        role = assignment.roles.get(grade_id(cell), {})
        if role.get("solution"):
            cell.source = _SOLUTION.sub(_stub, cell.source)
            if cell.cell_type == "markdown":
                cell.source = ANSWER
        cell.source = _HIDDEN.sub("", cell.source).rstrip()
        if role.get("locked"):
            cell.metadata.update(editable=False, deletable=False)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _stub(match: re.Match[str]) -> str:
    return "\n".join(match[1] + line for line in STUB.split("\n"))


def grade_id(cell: Any) -> str:
    """The name that nbgrader gives to a cell, or nothing."""
    role = (cell.get("metadata") or {}).get("nbgrader")
    return str(role.get("grade_id") or "") if isinstance(role, dict) else ""


def is_run(name: str) -> bool:
    """Whether the grader runs a cell: a figure counts as it was saved, the self-check not."""
    return not name.endswith(("-figure", "-self-check"))


def first_line(source: str) -> str:
    """The first line of a cell."""
    return source.strip().split("\n")[0].rstrip()
