"""Tables as spreadsheets save them, and with no cell that a spreadsheet takes for a formula."""

__all__ = ["bare", "cells", "harmless", "named", "read", "update", "write"]

import csv
import io
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import letters

Cells = list[tuple[int, list[str]]]
Rows = list[tuple[int, dict[str, str]]]


# White space, and what is not seen at all, as it comes along from a web page.
_BLANK = (
    "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + "\u200b\u200e\u200f\u2060\ufeff"
)
_AS_TEXT = re.compile('="([^"]*)"')  # by which a spreadsheet keeps the zeros before a number


def cells(path: Path) -> tuple[list[str], Cells, str]:
    """Read a table with commas, semicolons or tabs, in UTF-8 or as Excel saves it.

    Returns:
        The names of the columns, the cells of each row with its line in the file, and what
        separates them.

    Raises:
        ValueError: when there is no first line with names, a later one has more cells, a quote
            has no end, or the letters may be others than Windows' western ones.
    """
    data = path.read_bytes()
    text = unicodedata.normalize("NFC", letters.decoded(path.name, data))
    skipped = 0
    if text[:4].lower() == "sep=":  # by which Excel is told what separates
        text, skipped = text.partition("\n")[2], 1
    head = re.sub(r'"[^"]*"', "", text).split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[str] = []
    found: Cells = []
    line = 1 + skipped  # in which the next row begins, as one with quotes may have several
    try:
        for row in reader:
            row = [_AS_TEXT.sub(r"\1", cell.strip(_BLANK)) for cell in row]
            if not any(row):
                pass
            elif not columns:
                columns = row
            elif len(row) > len(columns):  # by then the cells after it stand in the wrong columns
                raise ValueError(
                    f"{path.name}, line {line}: there are more cells than the first line has "
                    f"names; one with {separator!r} in it, such as a decimal comma, must be quoted"
                )
            else:
                found.append((line, row))
            line = reader.line_num + skipped + 1
    except csv.Error as error:
        raise ValueError(
            f'{path.name}, line {line}: a quote (") that begins there has no end, or stands '
            f"within a cell: {error}"
        ) from None
    if not any(columns):
        raise ValueError(f"{path.name} must have names of columns in its first line")
    return columns, found, separator


def read(path: Path, used: Iterable[str] = ()) -> tuple[list[str], Rows]:
    """Read a table by its columns.

    Args:
        path: of the table.
        used: the columns that matter, where others may be of one name; else all matter.

    Returns:
        The names of the columns, and each row with its line in the file.

    Raises:
        ValueError: as of :func:`cells`, or when two columns that matter have one name.
    """
    columns, found, _ = cells(path)
    return columns, named(path, columns, found, used)


def named(path: Path, columns: list[str], found: Cells, used: Iterable[str] = ()) -> Rows:
    """Return the cells of a table by their columns; those that a shorter row lacks are empty.

    Raises:
        ValueError: when two columns that matter have one name.
    """
    names = [name for name in columns if name and (not used or name in set(used))]
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(f"{path.name} must have one column of each name, not two {twice[0]}")
    return [
        (line, {k: v for k, v in itertools.zip_longest(columns, row, fillvalue="") if k})
        for line, row in found
    ]


def harmless(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula; a sign alone is none."""
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")
    risky = risky and len(value) > 1
    return f"'{value}" if risky else value


def bare(value: str) -> str:
    """Return a cell without what made it harmless."""
    return value[1:] if value[:1] == "'" and harmless(value[1:]) != value[1:] else value


def write(
    path: Path, columns: Iterable[str], rows: Iterable[dict[str, Any]], *, marked: bool = True
) -> None:
    """Write a table, as a whole or not at all.

    It is marked as UTF-8 at its beginning, by which Excel knows it, unless its reader knows no
    such mark.
    """
    part = path.with_suffix(".part")
    encoding = "utf-8-sig" if marked else "utf-8"
    with part.open("w", newline="", encoding=encoding, errors="replace") as file:
        writer = csv.DictWriter(file, list(columns), extrasaction="ignore", restval="")
        writer.writerow({column: harmless(column) for column in writer.fieldnames})
        writer.writerows({k: harmless(v) for k, v in row.items()} for row in rows)
    part.replace(path)


def update(
    path: Path,
    rows: list[dict[str, Any]],
    key: tuple[str, ...],
    stays: Callable[[dict[str, Any]], bool] = lambda row: True,
    columns: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Write rows in place of those with the same key; of the others those stay that `stays` says.

    Columns of somebody's own stay, as does what a row that is written says nothing of.

    Returns:
        All rows that the table then has.
    """
    columns = list(columns) or (list(rows[-1]) if rows else list(key))
    if path.exists():
        found, there = read(path)
        columns += [name for name in map(bare, found) if name and name not in columns]
        before: dict[tuple[str | None, ...], dict[str, Any]] = {}
        for _, row in there:
            plain = {bare(k): bare(v) for k, v in row.items()}
            before[tuple(plain.get(k) for k in key)] = plain
        new = [tuple(str(row[k]) for k in key) for row in rows]
        rows = [before.pop(k, {}) | row for k, row in zip(new, rows, strict=True)]
        rows = [*filter(stays, before.values()), *rows]
        rows.sort(key=lambda row: (str(row.get("student")), str(row.get("assignment"))))
    write(path, columns, rows)
    return rows
