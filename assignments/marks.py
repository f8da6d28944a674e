"""The points of written answers, as people type them: nothing typed is ever lost."""

__all__ = [
    "Mark",
    "Marks",
    "answers",
    "keep_typed",
    "merged",
    "not_counted",
    "number",
    "read",
    "rows",
    "typed",
]

import datetime
import itertools
import re
import shutil
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import sheets
from masters import Assignment


class Mark(NamedTuple):
    """What a person has typed of an answer.

    Attributes:
        points: None where there are none yet.
        comment: in words.
        answer: which one they are of, as `Report.digest` names it; empty for that of now.
    """

    points: float | None = None
    comment: str = ""
    answer: str = ""

    def is_of(self, answer: str) -> bool:
        """Whether it is of this answer, and not of one that was handed in before."""
        return self.answer in ("", answer)


_NUMBER = re.compile(r"\d+([.,]\d*)?|[.,]\d+")
_ANSWER = re.compile("(none|a[0-9a-f]{12})?")

Marks = dict[tuple[str, str], Mark]  # by student and question
Answers = dict[tuple[str, str], str]  # the same of which answer there is


def number(points: float) -> str:
    """Return points as tables and pages have them."""
    return f"{round(points, 2):g}"


def read(path: Path, assignments: Mapping[str, Assignment]) -> Marks:
    """Read the points of the written answers from a `written.csv` that somebody has filled in.

    With commas, semicolons or tabs, in UTF-8 or as Excel saves it, with decimal commas. Points are
    of the answer in the same line, unless `marked` says of which other one they have been before.

    Raises:
        ValueError: when columns are missing, a line names no question or that of another
            assignment, its points are not within their range, its cells may stand in the wrong
            columns, or two lines say different things of one answer.
    """
    columns, cells, separator = sheets.cells(path)
    lines = sheets.named(path, columns, cells)
    if lacking := {"student", "question", "points"} - set(columns):
        raise ValueError(f"{path.name} must have columns {', '.join(sorted(lacking))}")
    of = {q: (name, p) for name, a in assignments.items() for q, p in a.written.items()}
    moved = {line for line, row in lines if _is_moved(row)}
    moved |= _may_be_decimals(columns, cells, lines) if separator == "," else set()
    marks: Marks = {}
    first: dict[tuple[str, str], int] = {}
    for line, row in lines:
        student = unicodedata.normalize("NFC", sheets.bare(row["student"])).strip()
        question, points = row["question"], row["points"]
        comment = sheets.bare(row.get("comment", ""))
        where = f"{path.name}, line {line}: {student}, {question}"
        if line in moved:
            raise ValueError(
                f"{where}: its cells may stand in the wrong columns; a decimal comma must be "
                "quoted, and so must a comment with a comma"
            )
        if any(cell in of for part in row.values() for cell in _others(part)):
            raise ValueError(f'{where}: the next line is within a quote (") that has no end')
        if not points and not comment:
            continue
        name, most = of.get(question, ("", -1.0))
        value = float(points.replace(",", ".")) if _NUMBER.fullmatch(points) else None
        if not name or (points and value is None) or (value is not None and value > most):
            raise ValueError(
                f"{where}: points must lie between 0 and "
                f"{most if name else 'those of a question that exists'}, got {points}"
            )
        if row.get("assignment", name) not in ("", name):
            raise ValueError(f"{where}: its assignment must be {name}, got {row['assignment']}")
        before, _, answer = row.get("marked", "").partition(" for ")
        if not answer or value is None or before != number(value):
            answer = row.get("answer", "")
        mark = Mark(value, comment, answer)
        if marks.setdefault((student, question), mark) != mark:
            raise ValueError(
                f"{where}: other points or another comment stand in line "
                f"{first[student, question]}; leave one of the lines"
            )
        first.setdefault((student, question), line)
    return marks


def _is_moved(row: Mapping[str, str]) -> bool:
    """Whether what names an answer stands elsewhere, as after a comma that was not quoted."""
    return not _ANSWER.fullmatch(row.get("answer", ""))


def _may_be_decimals(columns: list[str], cells: sheets.Cells, lines: sheets.Rows) -> set[int]:
    """The lines whose points and next cell may be one number with a decimal comma.

    Of a line that names its answer the cells are where they should be. In one that has all cells,
    or ends before the answer, only `of` is a number after the points.
    """
    at, found = columns.index("points"), set()
    for (line, row), (_, fields) in zip(cells, lines, strict=True):
        numbers = [cell for cell in row[at : at + 2] if cell.isdigit()]
        ends_well = len(row) == len(columns) and columns[at + 1 : at + 2] == ["of"]
        if len(numbers) == 2 and not ends_well and not fields.get("answer"):
            found.add(line)
    return found


def _others(cell: str) -> list[str]:
    """What stands between commas, semicolons or tabs in all lines of a cell but the first."""
    return [part.strip() for part in re.split(r"[,;\t\n]", cell.partition("\n")[2])]


def answers(path: Path, reports: Iterable[Any] = ()) -> Answers:
    """Return which answers there are: those of the table, or of the reports that are newer."""
    lines = sheets.read(path)[1] if path.exists() else []
    there = {
        (sheets.bare(row["student"]), row["question"]): row.get("answer", "") for _, row in lines
    }
    return there | {(r.student, q): r.digest(q) for r in reports for q in r.assignment.written}


def merged(typed: Marks, new: Marks, there: Mapping[tuple[str, str], str]) -> Marks:
    """Return marks with newer ones among them, of which an empty field takes nothing away.

    Neither does a mark of an answer that is not `there` any more from one that is of that.
    """
    result = dict(typed)
    for key, mark in new.items():
        before, answer = typed.get(key, Mark()), there.get(key, "")
        if before.points is not None and before.is_of(answer) and not mark.is_of(answer):
            continue
        comment = mark.comment or before.comment
        kept = before if mark.points is None else mark
        result[key] = kept._replace(comment=comment)
    return result


def typed(
    output: Path,
    new: Marks,
    assignments: Mapping[str, Assignment],
    known: set[str],
    there: Mapping[tuple[str, str], str],
) -> tuple[Marks, Marks]:
    """Return what stands in the table now, and the same with newer marks among it.

    Raises:
        ValueError: when marks are of nobody, or the table cannot be read.
    """
    path = output / "written.csv"
    before = read(path, assignments) if path.exists() else {}
    marks = merged(before, new, there)
    if unknown := sorted({student for student, _ in marks} - known):
        lost = any({"?", "\ufffd"} & set(student) for student in unknown)
        raise ValueError(
            f"marks of students who have handed in nothing: {', '.join(unknown)}"
            + ' (a "?" may be a letter that was lost: save as "CSV UTF-8")' * lost
        )
    return before, marks


def keep_typed(path: Path, before: Marks, marks: Marks) -> None:
    """Keep a copy of the table when something that a person has typed is about to change."""
    if any(marks[key][:2] != mark[:2] for key, mark in before.items()):
        copy = path.with_name(f"written-{datetime.datetime.now():%Y%m%d-%H%M%S}.csv")
        shutil.copyfile(path, copy)
        print(f"Marks have changed; those that were there are in {copy}", flush=True)


def rows(
    reports: Iterable[Any],
    marks: Marks,
    assignments: Mapping[str, Assignment],
    there: Mapping[tuple[str, str], str],
) -> list[dict[str, Any]]:
    """The lines of `written.csv`: what is to be marked, and every mark that there is."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for report in reports:
        for name in report.assignment.written:
            if report.status != "missing":
                papers = ", ".join(paper.name for paper in report.papers)
                pictures = "a picture" if report.found.images.get(name) else ""
                what = papers or pictures or "no proof found"
                what = "yes" if name in report.found.answers else what
                if name in report.earlier:
                    what += "; not the answer that has these points"
                found[report.student, name] = {"found": what}
    for key in marks:
        found.setdefault(key, {})
    of = {q: (name, points) for name, a in assignments.items() for q, points in a.written.items()}
    for (student, question), row in found.items():
        assignment, most = of[question]
        points, comment, answer = marks.get((student, question), Mark())
        row |= {"student": student, "assignment": assignment, "question": question}
        row |= {"points": "" if points is None else f"{points:g}", "of": number(most)}
        now = there.get((student, question), "")
        answer = answer or now
        row |= {"comment": comment, "answer": now}
        row["marked"] = "" if points is None or not answer else f"{number(points)} for {answer}"
    return list(found.values())


def not_counted(
    here: set[tuple[str, str]],
    marks: Marks,
    assignments: Mapping[str, Assignment],
    before: Mapping[tuple[str, str], Mapping[str, str]],
    there: Mapping[tuple[str, str], str],
) -> Iterable[str]:
    """Say which marks are in no total: those of earlier answers, or of what was not graded now."""
    students = sorted({student for student, _ in marks})
    for student, (name, assignment) in itertools.product(students, assignments.items()):
        own = {question: marks.get((student, question), Mark()) for question in assignment.written}
        points = [mark.points for mark in own.values()]
        given = [p for p in points if p is not None]
        earlier = {
            question: mark.points
            for question, mark in own.items()
            if mark.points is not None and not mark.is_of(there.get((student, question), ""))
        }
        for question, old in earlier.items():
            yield (
                f"{number(old)} points of {student} for {question}: they were given to an earlier "
                "answer; look at the new one on the page for marking, and type points for it "
                "there, or empty `marked` in written.csv"
            )
        if earlier:
            continue
        counted = before.get((student, name), {}).get("written", "")
        complete = len(given) == len(points)
        if (student, name) not in here and complete and counted != number(sum(given)):
            yield f"marks of {student} for {name}: they count when that is graded (again)"
