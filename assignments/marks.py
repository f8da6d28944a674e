"""The points of written answers, as people type them: nothing typed is ever lost."""

__all__ = ["Marks", "keep_typed", "merged", "not_counted", "number", "read", "rows", "typed"]

import datetime
import itertools
import shutil
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import sheets
from masters import Assignment

# Points and a comment, by student and question.
Marks = dict[tuple[str, str], tuple[float | None, str]]


def number(points: float) -> str:
    """Return points as tables and pages have them."""
    return f"{round(points, 2):g}"


def read(path: Path, assignments: Mapping[str, Assignment]) -> Marks:
    """Read the points of the written answers from a `written.csv` that somebody has filled in.

    With commas, semicolons or tabs, in UTF-8 or as Excel saves it, with decimal commas.

    Raises:
        ValueError: when columns are missing, a line names no question, or its points are not
            within their range.
    """
    columns, lines = sheets.read(path)
    if lacking := {"student", "question", "points"} - set(columns):
        raise ValueError(f"{path.name} must have columns {', '.join(sorted(lacking))}")
    largest = {q: p for a in assignments.values() for q, p in a.written.items()}
    marks: Marks = {}
    for line, row in lines:
        student = unicodedata.normalize("NFC", sheets.bare(row["student"])).strip()
        question, points = row["question"], row["points"]
        comment = sheets.bare(row.get("comment", ""))
        if not points and not comment:
            continue
        try:
            value = float(points.replace(",", ".")) if points else None
            right = question in largest and (value is None or 0 <= value <= largest[question])
        except ValueError:
            right = False
        if not right:
            raise ValueError(
                f"{path.name}, line {line}: {student}, {question}: points must lie between 0 and "
                f"{largest.get(question, 'those of a question that exists')}, got {points}"
            )
        marks[student, question] = (value, comment)
    return marks


def merged(typed: Marks, new: Marks) -> Marks:
    """Return marks with newer ones among them, of which an empty field takes nothing away."""
    result = dict(typed)
    for key, (points, comment) in new.items():
        points_before, comment_before = typed.get(key, (None, ""))
        points = points_before if points is None else points
        result[key] = (points, comment or comment_before)
    return result


def typed(
    output: Path, new: Marks, assignments: Mapping[str, Assignment], known: set[str]
) -> tuple[Marks, Marks]:
    """Return what stands in the table now, and the same with newer marks among it.

    Raises:
        ValueError: when marks are of nobody, or the table cannot be read.
    """
    path = output / "written.csv"
    there = read(path, assignments) if path.exists() else {}
    marks = merged(there, new)
    if unknown := sorted({student for student, _ in marks} - known):
        raise ValueError(f"marks of students who have handed in nothing: {', '.join(unknown)}")
    return there, marks


def keep_typed(path: Path, there: Marks, marks: Marks) -> None:
    """Keep a copy of the table when something that a person has typed is about to change."""
    if any(marks[key] != value for key, value in there.items()):
        copy = path.with_name(f"written-{datetime.datetime.now():%Y%m%d-%H%M%S}.csv")
        shutil.copyfile(path, copy)
        print(f"Marks have changed; those that were there are in {copy}", flush=True)


def rows(
    reports: Iterable[Any], marks: Marks, assignments: Mapping[str, Assignment]
) -> list[dict[str, Any]]:
    """The lines of `written.csv`: what is to be marked, and every mark that there is."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for report in reports:
        for name in report.assignment.written:
            if report.status != "missing":
                papers = ", ".join(paper.name for paper in report.papers)
                there = "yes" if name in report.found.answers else papers or "no proof found"
                found[report.student, name] = {"found": there}
    for key in marks:
        found.setdefault(key, {})
    of = {q: (name, points) for name, a in assignments.items() for q, points in a.written.items()}
    for (student, question), row in found.items():
        assignment, most = of[question]
        points, comment = marks.get((student, question), (None, ""))
        row |= {"student": student, "assignment": assignment, "question": question}
        row |= {"points": "" if points is None else f"{points:g}", "of": number(most)}
        row["comment"] = comment
    return list(found.values())


def not_counted(
    here: set[tuple[str, str]],
    marks: Marks,
    assignments: Mapping[str, Assignment],
    before: Mapping[tuple[str, str], Mapping[str, str]],
) -> Iterable[str]:
    """Say which marks are not in a total, since what they belong to was not graded in this run."""
    students = sorted({student for student, _ in marks})
    for student, (name, assignment) in itertools.product(students, assignments.items()):
        points = [marks.get((student, question), (None, ""))[0] for question in assignment.written]
        given = [p for p in points if p is not None]
        counted = before.get((student, name), {}).get("written", "")
        complete = len(given) == len(points)
        if (student, name) not in here and complete and counted != number(sum(given)):
            yield f"marks of {student} for {name}: they count when that is graded (again)"
