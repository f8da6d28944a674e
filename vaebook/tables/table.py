"""A table of results: rows at points of a grid, one line of a file each."""

__all__ = ["Table", "available", "load", "read", "rounded"]

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from vaebook import _checks, _files

FOLDER = Path(__file__).parent


class Line(NamedTuple):
    """A row with what it belongs to: the point, and the fingerprint of what computed it."""

    point: dict[str, Any]
    fingerprint: str
    row: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """The results of an experiment.

    Attributes:
        name: of the experiment.
        about: what holds for all rows.
        rows: a mapping per point of the grid, in its order: the point's entries, then what was
            found there.
        summary: what was computed from all rows.
        fingerprints: of what computed each row.
        made_with: versions of Python and torch where the last row was computed.
    """

    name: str
    about: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: dict[str, Any] = field(default_factory=dict)
    fingerprints: list[str] = field(default_factory=list)
    made_with: dict[str, str] = field(default_factory=dict)

    def where(self, **point: Any) -> list[dict[str, Any]]:
        """Return the rows that have these entries.

        Raises:
            ValueError: when there is no such row.

        Example:
            >>> [row["price"] for row in load("collapse").where(way="cyclical")]
            [1.1, 3.0]
        """
        found = [row for row in self.rows if all(k in row and row[k] == point[k] for k in point)]
        if not found:
            raise ValueError(f"{self.name} has no row with {point}")
        return found


def available() -> list[str]:
    """Return the names of all tables that come with the package.

    Example:
        >>> "collapse" in available()
        True
    """
    return sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def load(name: str) -> Table:
    """Return a table that comes with the package.

    Args:
        name: one of :func:`available`.

    Raises:
        ValueError: when there is no such table, with the nearest names.

    Example:
        >>> sorted(load("collapse").about["prices"])
        [0.5, 1.1, 3.0]
    """
    if name not in available():
        near = get_close_matches(str(name), available()) or available()
        raise ValueError(f"name must be a table, got {name!r}; there is {', '.join(near)}")
    return read(FOLDER / f"{name}.jsonl")


def read(path: str | os.PathLike[str]) -> Table:
    """Return the table in a file that an experiment has written.

    Raises:
        ValueError: when it is no table, or damaged.
        OSError: when it can't be read.

    Example:
        >>> read(FOLDER / "collapse.jsonl").rows == load("collapse").rows
        True
    """
    path = _checks.path(path, "path")
    head, *lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    try:
        header = json.loads(head)
        found = [Line(**json.loads(line)) for line in lines]
        return Table(
            name=header["table"],
            about=header["about"],
            rows=[line.point | line.row for line in found],
            summary=header["summary"],
            fingerprints=[line.fingerprint for line in found],
            made_with=header["made_with"],
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is no table, or damaged: {error}") from error


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a row in which each float has five significant digits.

    Raises:
        ValueError: when it isn't a dict of plain JSON, finite.

    Example:
        >>> rounded({"error": 1 / 3, "sizes": [1234567.0, 3], "kind": "ae"})
        {'error': 0.33333, 'sizes': [1234600.0, 3], 'kind': 'ae'}
    """
    _checks.instance(row, "row", dict)
    check(row, "row")
    short: dict[str, Any] = json.loads(encode(row), parse_float=lambda x: float(f"{float(x):.5g}"))
    return short


def write(path: Path, header: dict[str, Any], lines: Iterable[Line]) -> None:
    """Write a whole table, header first."""
    text = "".join(encode(entry) + "\n" for entry in [header, *(line._asdict() for line in lines)])
    _files.write(path, text.encode())


def scan(path: Path) -> Iterator[Line]:
    """Yield the whole lines of a file, which a kill or a full disk may have cut anywhere."""
    if not path.exists():
        return
    for text in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            yield Line(**json.loads(text))
        except (ValueError, TypeError):
            continue


def encode(value: Any) -> str:
    """Return plain JSON on one line."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def check(value: Any, name: str) -> None:
    """Refuse what is not plain JSON and finite, with the place.

    Raises:
        ValueError: when it is of another class than JSON has, a key is no text, or a number is NaN
            or infinite.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{name} must be plain JSON, with texts as keys, got {key!r}")
            check(item, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for n, item in enumerate(value):
            check(item, f"{name}[{n}]")
    elif not isinstance(value, str | int | float | None) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        kind = type(value).__name__
        raise ValueError(f"{name} must be plain JSON and finite, got {value!r}, a {kind}")
