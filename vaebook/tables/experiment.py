"""An experiment is a grid and a function; its rows are kept as they come, and computed once."""

__all__ = ["Experiment", "Failed", "from_file", "run"]

import linecache
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from vaebook import _checks, _files, _progress, jobs
from vaebook.fingerprint import describe, fingerprint
from vaebook.tables import table
from vaebook.tables.table import Line, Table


class Failed(RuntimeError):
    """Some rows raised; the others are kept."""


@dataclass(frozen=True)
class Experiment:
    """A grid and a function that computes the row at each of its points.

    A row is computed again when its fingerprint has changed: the source of `row` and all that it
    reaches, the versions of what it calls in this package, and what it `uses`.

    Args:
        name: of the table.
        row: called with a point's entries as keywords; returns plain JSON, finite. It has one
            thread, seeded generators of its own or the global ones, which are seeded for it.
        grid: the values of each entry, of which all combinations are points; or the points.
        uses: called like `row`; returns what else decides the row, such as a recipe's
            fingerprint.
        about: what holds for all rows, for the pages that read the table.
        summarize: gets all rows, returns what is said of them together.

    Raises:
        ValueError: when a point is not made of texts, numbers and None, or comes twice.

    Example:
        >>> def row(x, power):
        ...     return {"value": x**power}
        >>> powers = Experiment("powers", row, {"x": [2, 3], "power": [1, 2]})
        >>> powers.points()[1]
        {'x': 2, 'power': 2}
    """

    name: str
    row: Callable[..., dict[str, Any]]
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]
    uses: Callable[..., Iterable[Any]] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    summarize: Callable[[list[dict[str, Any]]], dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w-]+", self.name):
            raise ValueError(f"name must be letters, digits, - and _, got {self.name!r}")
        for name in ("row", "uses", "summarize"):
            found = getattr(self, name)
            if not callable(found) and (name == "row" or found is not None):
                raise ValueError(f"{name} must be callable, got {found!r}")
        _checks.instance(self.about, "about", Mapping)
        try:
            table.encode(dict(self.about))
        except ValueError as error:
            raise ValueError(f"about must be plain JSON and finite: {error}") from None
        _check_grid(self.grid)
        seen = set()
        for point in self.points():
            if not all(isinstance(value, str | int | float | None) for value in point.values()):
                raise ValueError(f"grid must hold texts, numbers and None, got {point}")
            if (key := table.encode(point)) in seen:
                raise ValueError(f"grid must have each point once, got {point} twice")
            seen.add(key)
        if not seen:
            raise ValueError("grid must have at least one point")

    def points(self) -> list[dict[str, Any]]:
        """Return all points, in the order of the table."""
        if isinstance(self.grid, Mapping):
            values = product(*self.grid.values())
            return [dict(zip(self.grid, row, strict=True)) for row in values]
        return [dict(point) for point in self.grid]

    @cached_property
    def _base(self) -> Any:
        return describe(self.row)

    def fingerprint(self, **point: Any) -> str:
        """Return the fingerprint of the row at a point.

        Raises:
            ValueError: when it is none of the grid's.

        Example:
            >>> def row(x):
            ...     return {"value": x}
            >>> one = Experiment("one", row, {"x": [1, 2]})
            >>> one.fingerprint(x=1) == one.fingerprint(x=2)  # the point is kept beside it
            True
        """
        if point not in self.points():
            raise ValueError(f"point must be one of the grid of {self.name}, got {point}")
        return self._fingerprint(point)

    def _fingerprint(self, point: dict[str, Any]) -> str:
        return fingerprint(row=self._base, uses=list(self.uses(**point)) if self.uses else [])


def _check_grid(grid: Any) -> None:
    values = grid.values() if isinstance(grid, Mapping) else [grid]
    points = [] if isinstance(grid, Mapping) else grid
    if not all(isinstance(value, Sequence) for value in values) or not all(
        isinstance(point, Mapping) for point in points
    ):
        raise ValueError(f"grid must map names to sequences, or be a list of points, got {grid!r}")


def run(
    experiment: Experiment,
    into: str | os.PathLike[str] = ".",
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = True,
) -> Table:
    """Compute what is missing of an experiment's table, and write it to ``NAME.jsonl``.

    Each row goes into ``NAME.rows`` as it comes; a run that was stopped, however, goes on from
    there. Rows of other fingerprints or other points are dropped. The finished table is the same
    bits whatever it ran on, and however often it was stopped.

    Args:
        experiment: what to run.
        into: folder of the table.
        n_jobs: processes of this machine.
        scheduler: address of a Dask cluster to use instead.
        progress: show a bar on standard error.

    Raises:
        ValueError: when another run is at work on the table, or :func:`vaebook.jobs.each` refuses.
        Failed: when rows raised, once all others are there, with the first traceback.
        OSError: when a row can't be written.
        vaebook.jobs.WorkersLost: when workers die again and again, or the scheduler is lost.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> def row(x, power):
        ...     return {"value": x**power}
        >>> powers = Experiment("powers", row, {"x": [2, 3], "power": [1, 2]})
        >>> with TemporaryDirectory() as folder:
        ...     found = run(powers, folder, progress=False)
        >>> found.rows[1]
        {'x': 2, 'power': 2, 'value': 4}
    """
    from filelock import Timeout

    _checks.instance(experiment, "experiment", Experiment)
    folder = _checks.path(into, "into")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _files.lock(folder / experiment.name, timeout=0):
            return _run(experiment, folder, n_jobs, scheduler, progress)
    except Timeout:
        raise ValueError(f"another run is at work on {folder / experiment.name}.jsonl") from None


def _run(
    experiment: Experiment, folder: Path, n_jobs: int, scheduler: str | None, progress: bool
) -> Table:
    final, journal = (folder / f"{experiment.name}.{end}" for end in ("jsonl", "rows"))
    points = experiment.points()
    wanted = {table.encode(point): experiment._fingerprint(point) for point in points}
    have = {
        key: line
        for line in (*table.scan(final), *table.scan(journal))
        if wanted.get(key := table.encode(line.point)) == line.fingerprint
    }
    left = [point for point in points if table.encode(point) not in have]
    failures: dict[str, str] = {}
    with _progress.bar(progress, total=len(points), initial=len(have), unit="row") as bar:
        bar.set_description(experiment.name)
        for outcome in jobs.each(
            _portable(experiment.row), left, n_jobs=n_jobs, scheduler=scheduler
        ):
            key = table.encode(left[outcome.index])
            line = Line(left[outcome.index], wanted[key], outcome.value)
            error = outcome.error or _unfit(line)
            if error:
                failures[key] = error
                bar.write(f"{key}: {error.splitlines()[-1]}")
                continue
            _files.append(journal, table.encode(line._asdict()))
            have[key] = line
            bar.update()
    if failures:
        key, error = next(iter(failures.items()))
        raise Failed(
            f"{len(failures)} of {len(points)} rows of {experiment.name} failed, the others are "
            f"kept; at {key}:\n{error}"
        )
    lines = [have[table.encode(point)] for point in points]
    rows = [line.point | line.row for line in lines]
    header = {
        "table": experiment.name,
        "about": dict(experiment.about),
        "summary": experiment.summarize(rows) if experiment.summarize else {},
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }
    table.write(final, header, lines)
    journal.unlink(missing_ok=True)
    return table.read(final)


def _unfit(line: Line) -> str | None:
    """Return why a row can't stand in a table."""
    if not isinstance(line.row, dict):
        return f"row must be a dict, got {line.row!r}"
    if both := line.row.keys() & line.point.keys():
        return f"row must not repeat entries of its point, got {sorted(both)}"
    try:
        table.encode(line.row)
    except ValueError as error:
        return f"row must be plain JSON and finite: {error}"
    return None


def from_file(path: str | os.PathLike[str]) -> Experiment:
    """Return the experiment that a Python file defines.

    Raises:
        ValueError: when there is no such file, or it doesn't define one experiment.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> text = '''
        ... from vaebook.tables import Experiment
        ...
        ... def row(x):
        ...     return {"square": x * x}
        ...
        ... squares = Experiment("squares", row, {"x": range(3)})
        ... '''
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "squares.py")
        ...     _ = path.write_text(text)
        ...     from_file(path).name
        'squares'
    """
    path = _checks.path(path, "path")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"path must be a study's file, got {path}: {error.strerror}") from error
    module = _module(str(path.resolve()), text)
    found = {id(item): item for item in vars(module).values() if isinstance(item, Experiment)}
    if len(found) != 1:
        raise ValueError(f"{path} must define one experiment, it defines {len(found)}")
    return next(iter(found.values()))


@cache
def _module(path: str, text: str) -> ModuleType:
    """Run a study's text as a module, wherever it came from."""
    name = f"_study_{fingerprint(path=path, text=text)}"
    module = ModuleType(name)
    module.__file__ = path
    module.__dict__["_text"] = text
    # For tracebacks and for the fingerprint, where there is no file.
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    sys.modules[name] = module
    exec(compile(text, path, "exec"), module.__dict__)
    return module


@dataclass(frozen=True)
class _Portable:
    """A function of a study, which travels as the study's text: a worker needs no copy."""

    path: str
    text: str
    name: str

    def __call__(self, **point: Any) -> dict[str, Any]:
        found: dict[str, Any] = getattr(_module(self.path, self.text), self.name)(**point)
        return found


def _portable(function: Callable[..., Any]) -> Callable[..., Any]:
    module = sys.modules.get(getattr(function, "__module__", ""))
    if not hasattr(module, "_text"):
        return function
    assert module is not None
    return _Portable(str(module.__file__), module._text, function.__name__)
