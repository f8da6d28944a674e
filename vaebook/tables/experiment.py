"""An experiment is a grid and a function; its rows are kept as they come, and computed once."""

__all__ = ["Experiment", "Failed", "from_file", "run"]

import inspect
import json
import linecache
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import cache, partial
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
    """Some rows raised an exception; the others are kept."""


@dataclass(frozen=True)
class Experiment:
    """A grid and a function that computes the row at each of its points.

    A row is computed again when its fingerprint has changed: the source of `row` and of all that
    it reaches by name, the versions of what it calls in this package, and what it `uses`. What it
    imports within itself, and the methods of objects that it is given, are not looked into.

    Args:
        name: of the table.
        row: called with a point's entries as keywords; returns a dict of plain JSON, finite. It
            runs on one thread, and draws from generators that it seeds or from the global ones,
            which are seeded for it.
        grid: the values of each entry, of which all combinations are points; or the points. They
            are texts, numbers and None.
        uses: called like `row`; returns what else decides the row, such as a recipe's
            fingerprint.
        about: what holds for all rows, for the pages that read the table.
        summarize: gets all rows, returns what is said of them together.

    Raises:
        ValueError: when there is no point, one comes twice, or `row` can't be called at one.

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
        table.check(dict(self.about), "about")
        _check_grid(self.grid)
        points = self.points()
        seen = set()
        for point in points:
            _check_point(point)
            if (key := table.encode(point)) in seen:
                raise ValueError(f"grid must have each point once, got {point} twice")
            seen.add(key)
        if not seen:
            raise ValueError("grid must have at least one point")
        _check_takes(self.row, "row", points)
        if self.uses:
            _check_takes(self.uses, "uses", points)

    def points(self) -> list[dict[str, Any]]:
        """Return all points, in the order of the table."""
        if isinstance(self.grid, Mapping):
            values = product(*self.grid.values())
            return [dict(zip(self.grid, row, strict=True)) for row in values]
        return [dict(point) for point in self.grid]

    def fingerprint(self, **point: Any) -> str:
        """Return the fingerprint of the row at a point, with the code as it is now.

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
        return self._fingerprints([point])[0]

    def _fingerprints(self, points: list[dict[str, Any]]) -> list[str]:
        row = describe(self.row)
        return [
            fingerprint(row=row, uses=list(self.uses(**point)) if self.uses else [])
            for point in points
        ]

    def _portable(self) -> Callable[..., Any]:
        """Return `row` as it can be sent to a worker."""
        return self.row


def _check_grid(grid: Any) -> None:
    values = grid.values() if isinstance(grid, Mapping) else [grid]
    points = [] if isinstance(grid, Mapping) else grid
    # A text would be taken for its letters.
    if not all(isinstance(v, Sequence) and not isinstance(v, str) for v in values) or not all(
        isinstance(point, Mapping) for point in points
    ):
        raise ValueError(f"grid must map names to sequences, or be a list of points, got {grid!r}")


def _check_point(point: dict[Any, Any]) -> None:
    if not all(isinstance(name, str) for name in point):
        raise ValueError(f"grid must have texts as names, got {point}")
    if not all(isinstance(value, str | int | float | None) for value in point.values()):
        raise ValueError(f"grid must hold texts, numbers and None, got {point}")
    table.check(point, "grid")


def _check_takes(function: Callable[..., Any], name: str, points: list[dict[str, Any]]) -> None:
    """Refuse a function that can't be called at one of the points."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some that are written in C don't tell
        return
    for point in points:
        try:
            signature.bind(**point)
        except TypeError as error:
            raise ValueError(f"{name} must take the entries of grid: {error}, {point}") from None


def run(
    experiment: Experiment,
    into: str | os.PathLike[str] = ".",
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = True,
) -> Table:
    """Compute what is missing of an experiment's table, and write it to ``NAME.jsonl``.

    Each row goes into ``NAME.rows`` as it comes, so a run goes on from there however it was
    stopped. Rows of other fingerprints or other points are dropped. The finished table is the same
    bits however often it was stopped and wherever it ran, on CPUs with equal builds.

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
    keys = [table.encode(point) for point in points]
    wanted = dict(zip(keys, experiment._fingerprints(points), strict=True))

    def current(path: Path) -> dict[str, Line]:
        """Return the rows of a file that need not be computed again."""
        lines = ((table.encode(line.point), line) for line in table.scan(path))
        return {key: line for key, line in lines if wanted.get(key) == line.fingerprint}

    finished = current(final)
    have = finished | current(journal)
    left = [point for point, key in zip(points, keys, strict=True) if key not in have]
    if left:
        journal.touch()  # where that can't be done no row need be computed
    failures: dict[str, str] = {}
    with _progress.bar(progress, total=len(points), initial=len(have), unit="row") as bar:
        bar.set_description(experiment.name)
        row = partial(_checked, experiment._portable())
        for outcome in jobs.each(row, left, n_jobs=n_jobs, scheduler=scheduler):
            point = left[outcome.index]
            key = table.encode(point)
            if outcome.error:
                failures[key] = outcome.error
                if progress:
                    bar.write(f"{key}: {outcome.error.splitlines()[-1]}", file=sys.stderr)
                continue
            text = table.encode(Line(point, wanted[key], outcome.value)._asdict())
            _files.append(journal, text)
            have[key] = Line(**json.loads(text))  # as a run that goes on from here will find it
            bar.update()
    if failures:
        key, error = next(iter(failures.items()))
        raise Failed(
            f"{len(failures)} of {len(points)} rows of {experiment.name} failed, the others are "
            f"kept; at {key}:\n{error}"
        )
    lines = [have[key] for key in keys]
    rows = [line.point | line.row for line in lines]
    header = {
        "table": experiment.name,
        "about": dict(experiment.about),
        "summary": experiment.summarize(rows) if experiment.summarize else {},
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }
    table.check(header["summary"], "summary")
    if len(finished) == len(points):
        with suppress(ValueError):  # a header that somebody has damaged is made anew
            header["made_with"] = table.read(final).made_with
    table.write(final, header, lines)
    journal.unlink(missing_ok=True)
    return table.read(final)


def _checked(row: Callable[..., Any], /, **point: Any) -> dict[str, Any]:
    """Return a row, and refuse what can't stand in a table."""
    found = row(**point)
    if not isinstance(found, dict):
        raise ValueError(f"row must be a dict, got {found!r}")
    if both := found.keys() & point.keys():
        raise ValueError(f"row must not repeat entries of its point, got {sorted(both)}")
    table.check(found, "row")
    return found


def from_file(path: str | os.PathLike[str]) -> Experiment:
    """Return the experiment that a Python file defines, which imports only what is installed.

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
    return _study(str(path.resolve()), text)


@dataclass(frozen=True)
class _Study(Experiment):
    """An experiment that travels as the text of its file: a worker needs no copy."""

    path: str = ""
    text: str = ""

    def _portable(self) -> Callable[..., Any]:
        return partial(_row_of_study, self.path, self.text, fingerprint(row=self.row))


def _row_of_study(path: str, text: str, code: str, /, **point: Any) -> Any:
    if _code(path, text) != code:
        raise RuntimeError(
            f"the package on {platform.node()} (process {os.getpid()}) is another than where the "
            "run began: start the worker, or the run, again"
        )
    return _study(path, text).row(**point)


@cache
def _code(path: str, text: str) -> str:
    return fingerprint(row=_study(path, text).row)


@cache
def _study(path: str, text: str) -> _Study:
    """Run a study's text as a module, wherever it came from, and return what it defines."""
    name = f"_study_{fingerprint(path=path, text=text)}"
    module = ModuleType(name)
    module.__file__ = path
    # For tracebacks and for the fingerprint, where there is no file.
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    sys.modules[name] = module
    exec(compile(text, path, "exec"), module.__dict__)
    found = {id(item): item for item in vars(module).values() if isinstance(item, Experiment)}
    if len(found) != 1:
        raise ValueError(f"{path} must define one experiment, it defines {len(found)}")
    (one,) = found.values()
    settings = {part.name: getattr(one, part.name) for part in fields(Experiment)}
    return _Study(**settings, path=path, text=text)
