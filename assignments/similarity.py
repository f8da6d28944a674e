"""Which submissions have code in common that others have not.

By winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document
fingerprinting", 2003) of tokens in which names are all alike. What the students were given counts
for nothing, and neither does what a tenth of the class has written, as the formulas of the book.
"""

__all__ = ["pairs"]

import io
import keyword
import tokenize
import zlib
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import Any

_GRAM, _WINDOW = 12, 4  # tokens that are compared together, grams of which one is kept
_LEAST = 5  # fingerprints in common; fewer say nothing


def pairs(reports: Iterable[Any], n: int = 50) -> list[dict[str, Any]]:
    """Return the most similar pairs of each assignment, one line each.

    A similarity is no proof of copying: read both notebooks.
    """
    classes: dict[str, dict[str, set[int]]] = {}
    for report in reports:
        given = {p for cell in report.assignment.released.values() for p in _prints(cell)}
        own = {p for _, source in report.found.cells for p in _prints(source)}
        classes.setdefault(report.assignment.name, {})[report.student] = own - given
    rows = []
    for assignment, students in classes.items():
        spread = Counter(p for prints in students.values() for p in prints)
        common = {p for p, count in spread.items() if count > max(3, len(students) / 10)}
        rare = {student: prints - common for student, prints in students.items()}
        found: list[dict[str, Any]] = []
        for one, other in combinations(sorted(rare), 2):
            shared = len(rare[one] & rare[other])
            least = min(len(rare[one]), len(rare[other]))
            if shared >= _LEAST:
                row = {"assignment": assignment, "student": one, "other": other}
                found.append(row | {"shared": shared, "of": least})
        found.sort(key=lambda row: row["shared"] / row["of"], reverse=True)
        rows += [row | {"part": f"{row['shared'] / row['of']:.2f}"} for row in found[:n]]
    return rows


def _prints(source: str) -> set[int]:
    """The fingerprints of a cell: of each window of hashes of tokens the least."""
    tokens = _tokens(source)
    grams = [" ".join(tokens[i : i + _GRAM]) for i in range(len(tokens) - _GRAM + 1)]
    hashes = [zlib.crc32(gram.encode("utf-8", "replace")) for gram in grams]
    starts = range(max(1, len(hashes) - _WINDOW + 1)) if hashes else []
    return {min(hashes[i : i + _WINDOW]) for i in starts}


def _tokens(source: str) -> list[str]:
    """Tokens without layout and comments, with one name for all variables and one for numbers."""
    tokens = []
    layout = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT)
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in layout:
                continue
            name = token.type == tokenize.NAME and not keyword.iskeyword(token.string)
            number = token.type == tokenize.NUMBER
            tokens.append("name" if name else "0" if number else token.string)
    except (tokenize.TokenError, SyntaxError):
        pass  # what comes before the fault is compared
    return tokens
