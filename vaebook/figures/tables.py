"""Small tables of words and numbers, as the last value of a cell."""

__all__ = ["Table", "table"]

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from reprlib import repr as shorten
from typing import Any

import numpy as np
from torch import Tensor

from vaebook import _checks
from vaebook.figures.numbers import number, plain
from vaebook.figures.pictures import read_texts

_TAG = re.compile(r"</?(?:sub|sup|i)>")
_NUMBER = r"[+−]?[\d,]*\.?\d+(?:\s?%)?"
_RANGE = rf"{_NUMBER}(?: (?:to|±|of) {_NUMBER})?"
_NUMBERS = re.compile(rf"{_RANGE}(?: \({_RANGE}\))?")
_FIXED = "\N{NO-BREAK SPACE}"
_LONG = 24  # letters
_WHOLE, _BRIEF = 16, 10  # letters of names and of other cells that are not broken
# Widths in ems, of 13.6 pixels on a phone, where 312 pixels of 360 are the column's.
_PHONE = 22.9
_PADDING = 0.59  # of a column
_SMALL, _BOLD = 0.85, 1.08  # letters of brackets, and of headings
_LETTERS = dict.fromkeys(f"{_FIXED} .,:;!'|ijlftI/", 0.28) | dict.fromkeys("()[]-r", 0.34)
_LETTERS |= dict.fromkeys("mwMW%@…", 0.86)
_PLAIN, _CAPITAL = 0.56, 0.7
_MOST_PARTS = 4  # of a table on a phone
_NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Table:
    """A table that shows itself in notebooks and on pages.

    Attributes:
        headings: of the columns.
        rows: cells as they are read, the first of each row its heading.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def _repr_html_(self) -> str:
        parts = self._parts()
        whole = self._frame(self._inner())
        if not parts:
            kind = "vaebook-table vaebook-table-wide" if self._wide() else "vaebook-table"
            return f'<div class="{kind}" style="overflow-x: auto">{whole}</div>'
        repeated = self._names()
        tables = "".join(self._frame([*range(1, repeated), *part]) for part in parts)
        return (
            '<div class="vaebook-table vaebook-table-whole" style="overflow-x: auto">'
            f'{whole}</div><div class="vaebook-table vaebook-table-parts" style="display: none">'
            f"{tables}</div>"
        )

    def _frame(self, columns: Sequence[int]) -> str:
        """Some columns behind the first one."""
        shown = Table(
            tuple(self.headings[j] for j in (0, *columns)),
            tuple(tuple(row[j] for j in (0, *columns)) for row in self.rows),
        )
        return shown._table()

    def _table(self) -> str:
        sides = ["start", *("end" if self._numeric(j) else "start" for j in self._inner())]
        head = "".join(
            f'<th scope="col" style="text-align: {side}">{_html(text)}</th>'
            for side, text in zip(sides, self.headings, strict=True)
        )
        lines = []
        corner, *labels = (escape(_TAG.sub("", heading)) for heading in self.headings)
        for name, *cells in self.rows:
            style = _style("start", name, _WHOLE)
            line = f'<tr><th scope="row" style="{style}" data-heading="{corner}">'
            line += f"{_html(name)}</th>"
            for side, label, text in zip(sides[1:], labels, cells, strict=True):
                cell = _unbroken(text) if _is_number(text) else _html(text)
                style = _style(side, text, _BRIEF)
                line += f'<td style="{style}" data-heading="{label}">{cell}</td>'
            lines.append(f"{line}</tr>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"

    def __repr__(self) -> str:
        lines = [[_TAG.sub("", text) for text in line] for line in (self.headings, *self.rows)]
        wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
        numeric = [False, *map(self._numeric, self._inner())]
        return "\n".join(
            "  ".join(
                text.rjust(w) if right else text.ljust(w)
                for text, w, right in zip(line, wide, numeric, strict=True)
            ).rstrip()
            for line in lines
        )

    def _inner(self) -> range:
        """The columns after the first."""
        return range(1, len(self.headings))

    def _names(self) -> int:
        """How many columns it takes to tell the rows apart, from the first on."""
        for n in range(1, len(self.headings)):
            if len({row[:n] for row in self.rows}) == len(self.rows):
                return n
        return 1

    def _wide(self) -> bool:
        """Whether the columns do not fit beside each other on a phone."""
        return sum(self._widths()) > _PHONE

    def _widths(self) -> list[float]:
        """The least width of each column."""
        names, *columns = zip(*self.rows, strict=True)
        cells = [max(_least(name, _WHOLE) for name in names)]
        cells += [max(_least(text, _BRIEF) for text in column) for column in columns]
        headings = [_BOLD * _least(heading) for heading in self.headings]
        return [max(pair) + _PADDING for pair in zip(cells, headings, strict=True)]

    def _parts(self) -> list[list[int]]:
        """The columns of some tables that stand below each other on a phone, behind those that
        name the rows; none where it shows the whole one, or where columns of long texts need its
        width."""
        repeated, every = self._names(), self._widths()
        widths, room = every[repeated:], _PHONE - sum(every[:repeated])
        long = any(len(text) > _LONG and not _is_number(text) for r in self.rows for text in r[1:])
        if not self._wide() or long or max(widths) > room:
            return []
        parts = _filled(widths, room, repeated)
        # As even as may be.
        while (room := 0.97 * room) >= max(widths):
            even = _filled(widths, room, repeated)
            if len(even) > len(parts):
                break
            parts = even
        return parts if len(parts) <= _MOST_PARTS else []

    def _numeric(self, column: int) -> bool:
        """Whether all cells of a column are numbers or ranges, or nothing."""
        cells = [row[column] for row in self.rows]
        return all(cell == _NOTHING or _is_number(cell) for cell in cells)


def table(
    rows: Sequence[Sequence[Any] | Mapping[Any, Any]],
    columns: Sequence[str] | Mapping[Any, str],
    *,
    digits: int = 2,
) -> Table:
    """Set words and numbers in rows and columns; on a phone a wide table is divided.

    Columns of numbers, also as :func:`number`, :func:`between` and :func:`ranged` write them, or
    "1.5 ± 0.1", are aligned on the right. Words take ``<i>``, ``<sub>`` and ``<sup>``.

    Args:
        rows: one sequence of cells each, or one mapping. A cell is words, a number (those of type
            int are written without decimals), a truth value (yes or no), or None where there is
            nothing. The first one names the row; a number there is written in three figures.
        columns: headings; by key where rows are mappings.
        digits: after the point of all other numbers.

    Raises:
        ValueError: for no row, rows of other lengths than columns, missing keys, and cells that
            are none of these, or not finite.

    Example:
        >>> table([["prior", 0.5, 12], ["chain", -1.0, None]], ["draws from", "ELBO", "steps"])
        draws from   ELBO  steps
        prior        0.50     12
        chain       −1.00      –
        >>> table([{"beta": 4.0, "kl": 3.14159}], {"beta": "β", "kl": "KL, nats"}, digits=1)
        β  KL, nats
        4       3.1
    """
    _checks.count(digits, "digits", 0)
    if not (_is_list(columns) or isinstance(columns, Mapping)) or not len(columns):
        raise ValueError(f"columns must be headings, or key -> heading, got {shorten(columns)}")
    if not _is_list(rows) or not len(rows):
        raise ValueError(f"rows must be at least one sequence of cells, got {shorten(rows)}")
    keys = list(columns)
    words = columns.values() if isinstance(columns, Mapping) else columns
    lines = [_cells(row, keys, i, isinstance(columns, Mapping)) for i, row in enumerate(rows)]
    return Table(
        tuple(read_texts(list(words), "columns")),
        tuple(
            tuple(_text(cell, digits if j else None, i, j) for j, cell in enumerate(line))
            for i, line in enumerate(lines)
        ),
    )


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence | np.ndarray | Tensor) and not isinstance(value, str)


def _cells(row: Any, keys: list[Any], i: int, keyed: bool) -> list[Any]:
    """The cells of a row in the order of the columns."""
    if isinstance(row, Mapping):
        missing = [key for key in keys if key not in row]
        if missing:
            raise ValueError(f"rows must have all keys of columns, row {i} lacks {missing}")
        return [row[key] for key in keys]
    if keyed or not _is_list(row) or len(row) != len(keys):
        wanted = "mappings" if keyed else f"of {len(keys)} cells, one per column"
        raise ValueError(f"rows must be {wanted}, got {shorten(row)} as row {i}")
    return list(row)


def _text(cell: Any, digits: int | None, i: int, j: int) -> str:
    """A cell as it is read; a heading where there are no digits."""
    cell = plain(cell)
    if cell is None:
        return _NOTHING
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    try:
        _checks.number(cell, "rows")
    except ValueError:
        raise ValueError(
            f"rows must hold words, finite numbers or None, got {shorten(cell)} in row {i}, "
            f"column {j}"
        ) from None
    if digits is None:
        return read_texts([cell], "rows")[0]
    return number(cell, 0 if isinstance(cell, int) else digits)


def _html(text: str) -> str:
    """Words with no other tags than those of slanted, lowered and raised letters."""
    text = _bound(text)
    parts = zip(_TAG.split(text), [*_TAG.findall(text), ""], strict=True)
    return "".join(escape(words) + tag for words, tag in parts)


def _style(side: str, text: str, whole: int) -> str:
    """Where the words of a cell stand; names are not broken at their hyphens, nor few letters."""
    long = len(text) > _LONG
    name = "-" in text and " " not in text and not long
    name |= " " in text and not _is_number(text) and len(_TAG.sub("", text)) <= whole
    wide = side == "start" and long
    return f"text-align: {side}" + "; white-space: nowrap" * name + "; min-width: 7rem" * wide


def _is_number(text: str) -> bool:
    return _NUMBERS.fullmatch(text) is not None


def _bound(text: str) -> str:
    """Words that are not broken at an equals sign."""
    return text.replace(" = ", f"{_FIXED}={_FIXED}")


def _least(text: str, whole: int = 0) -> float:
    """The width that a cell cannot be narrower than; few letters stand on one line."""
    text = _bound(_TAG.sub("", text))
    if _is_number(text):
        middle, *bracket = text.split(" (")
        return max(_width(middle), *(_SMALL * _width(f"({part}") for part in bracket), 0)
    if len(text) <= whole:
        return _width(text)
    return max(8.3 * (len(text) > _LONG), *map(_width, text.split(" ")))  # 7rem, as below


def _width(text: str) -> float:
    usual = (_CAPITAL if letter.isupper() else _PLAIN for letter in text)
    return sum(_LETTERS.get(letter, width) for letter, width in zip(text, usual, strict=True))


def _filled(widths: Sequence[float], room: float, first: int) -> list[list[int]]:
    """Columns from the first on, as many in a part as there is room for, one at least."""
    parts: list[list[int]] = []
    left = 0.0
    for j, width in enumerate(widths, first):
        if width > left:
            parts.append([])
            left = room
        parts[-1].append(j)
        left -= width
    return parts


def _unbroken(text: str) -> str:
    """Numbers on one line; a range in brackets may stand below what it belongs to."""
    middle, bracket, rest = text.replace(" ", _FIXED).partition(f"{_FIXED}(")
    return f"{middle} <small>({rest}</small>" if bracket else middle
