"""Which submissions have code in common that others have not.

By winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document
fingerprinting", 2003) of tokens in which names are all alike. What the students were given counts
for nothing, and neither does what a tenth of the class has written, as the formulas of the book.
"""

__all__ = ["pairs", "prints", "update"]

import functools
import io
import json
import keyword
import tokenize
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import sheets

_GRAM, _WINDOW = 12, 4  # tokens that are compared together, grams of which one is kept
_GIVEN = 6  # tokens in a row that are as they were handed out, names included
_LEAST = 5  # fingerprints in common; fewer say nothing

Classes = dict[str, dict[str, list[int]]]  # of each assignment, the fingerprints of each student


def update(output: Path, reports: Iterable[Any], gone: Iterable[tuple[str, str]]) -> None:
    """Write `similar.csv` anew, with those who have handed in elsewhere or earlier among them.

    Their fingerprints are kept, without their code, in `outcomes/prints.json`.
    """
    path = output / "outcomes" / "prints.json"
    classes: Classes = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for student, assignment in gone:
        classes.get(assignment, {}).pop(student, None)
    for report in reports:
        found = sorted(prints(report))
        classes.setdefault(report.assignment.name, {})[report.student] = found
    rewrite(output, classes)


def rewrite(output: Path, classes: Classes) -> None:
    """Keep these fingerprints, and write the table that comes of them."""
    path = output / "outcomes" / "prints.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(classes), encoding="utf-8")
    part.replace(path)
    columns = ["assignment", "student", "other", "shared", "of", "part"]
    key = ("assignment", "student", "other")
    sheets.update(output / "similar.csv", pairs(classes), key, lambda row: False, columns)


def pairs(classes: Mapping[str, Mapping[str, Iterable[int]]], n: int = 50) -> list[dict[str, Any]]:
    """Return the most similar pairs of each assignment, one line each.

    A similarity is no proof of copying: read both notebooks.
    """
    rows = []
    for assignment, students in classes.items():
        spread = Counter(p for those in students.values() for p in set(those))
        common = {p for p, count in spread.items() if count > max(3, len(students) / 10)}
        rare = {student: set(those) - common for student, those in students.items()}
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


def prints(report: Any) -> set[int]:
    """The fingerprints of a student's own code: what was handed out is cut from it first.

    Also where it was copied into a cell of the student's own, or its names were changed there.
    """
    literal, renamed = _given(tuple(report.assignment.released.values()))
    found: set[int] = set()
    for _, source in report.found.cells:
        for own in _pieces(_tokens(source), literal):
            found |= _prints(_alike(own))
    return found - renamed


@functools.cache
def _given(sources: tuple[str, ...]) -> tuple[set[tuple[str, ...]], set[int]]:
    """What was handed out: as it is in short pieces, and with other names in longer ones."""
    given = [_tokens(source) for source in sources]
    literal = {gram for tokens in given for gram in _grams(tokens, _GIVEN)}
    return literal, {hash_ for tokens in given for hash_ in _hashes(_alike(tokens))}


def _pieces(tokens: list[str], given: set[tuple[str, ...]]) -> list[list[str]]:
    """What is left of tokens between those that were handed out."""
    starts = [i for i, gram in enumerate(_grams(tokens, _GIVEN)) if gram in given]
    covered = {i + k for i in starts for k in range(_GIVEN)}
    ends = [-1, *sorted(covered), len(tokens)]
    return [tokens[a + 1 : b] for a, b in pairwise(ends) if b - a > 1]


def _grams(tokens: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def _hashes(tokens: list[str]) -> list[int]:
    return [zlib.crc32(" ".join(g).encode("utf-8", "replace")) for g in _grams(tokens, _GRAM)]


def _prints(tokens: list[str]) -> set[int]:
    """The fingerprints of tokens: of each window of hashes the least."""
    hashes = _hashes(tokens)
    starts = range(max(1, len(hashes) - _WINDOW + 1)) if hashes else []
    return {min(hashes[i : i + _WINDOW]) for i in starts}


def _alike(tokens: list[str]) -> list[str]:
    """The same with one name for all variables and one for numbers."""
    return [
        "name"
        if token.isidentifier() and not keyword.iskeyword(token)
        else "0"
        if token[0].isdigit() or (token[0] == "." and token[1:2].isdigit())
        else token
        for token in tokens
    ]


def _tokens(source: str) -> list[str]:
    """Tokens without layout and comments."""
    tokens = []
    layout = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT)
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type not in (*layout, tokenize.ENDMARKER):
                tokens.append(token.string)
    except (tokenize.TokenError, SyntaxError):
        pass  # what comes before the fault is compared
    return tokens
