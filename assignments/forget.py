"""Remove all that is kept of one student."""

__all__ = ["forget"]

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exchange
import pages
import sheets
import similarity
import submissions
import summary
from masters import masters
from roster import Course, Person


def forget(output: Path, student: str, course: Course, place: Path | None = None) -> list[Path]:
    """Remove a student's lines, pages, pictures, results and marks; return what has been removed.

    Args:
        output: the folder with the tables.
        student: as on the roster, or as in the tables.
        course: whose roster the student is no longer on.
        place: the folder with what was handed in, if that is to be removed as well.

    Raises:
        ValueError: when nobody is called that, the roster still has them, or `place` is a zip.
    """
    if student in course.people:
        raise ValueError(
            f"STUDENT {student} is on the roster: take them off it first, and out of the "
            "extensions, or the next run knows them again"
        )
    path = output / "names.csv"
    lines = [_bare(row) for _, row in sheets.read(path)[1]] if path.exists() else []
    theirs = [row for row in lines if student in (row["student"], row["name"])]
    if not theirs:
        raise ValueError(f"STUDENT must be one of those in {path}, got {student}")
    shown = theirs[0]["student"]
    removed = list(_work(place, theirs)) if place else []
    removed += _lines(output, shown)
    removed += _results(output, shown)
    for folder in (output / "feedback" / shown, output / "exchange"):
        removed.append(folder)
        shutil.rmtree(folder, ignore_errors=True)
    assignments = masters()
    for name, assignment in assignments.items():
        if (page := output / "proofs" / f"{name}.html").exists():
            removed.append(page)
            pages.proofs(output / "proofs", assignment, [], {}, {shown})
    tables = [output / name for name in ("grades.csv", "tests.csv")]
    grades, tests = ([_bare(row) for _, row in sheets.read(table)[1]] for table in tables)
    summary.write(output, grades, tests)
    exchange.write(output, course, assignments)
    return removed


def _bare(row: dict[str, str]) -> dict[str, Any]:
    return {sheets.bare(key): sheets.bare(value) for key, value in row.items()}


def _lines(output: Path, shown: str) -> Iterator[Path]:
    """Remove lines from the tables, and from those that were kept when marks have changed."""
    for path in sorted(output.glob("*.csv")):
        columns, rows = sheets.read(path)
        plain = [_bare(row) for _, row in rows]
        stay = [row for row in plain if shown not in (row.get("student"), row.get("other"))]
        if len(stay) < len(plain):
            sheets.write(path, map(sheets.bare, columns), stay)
            yield path


def _results(output: Path, shown: str) -> Iterator[Path]:
    """Remove what no line refers to any more, and the fingerprints of the student's code."""
    kept = {row["outcome"] for _, row in sheets.read(output / "names.csv")[1]}
    for path in sorted((output / "outcomes").iterdir()):
        if path.name == "prints.json":
            classes = json.loads(path.read_text(encoding="utf-8"))
            for students in classes.values():
                students.pop(shown, None)
            similarity.rewrite(output, classes)
        elif path.stem not in kept:
            path.unlink()
            yield path


def _work(place: Path, theirs: list[dict[str, Any]]) -> Iterator[Path]:
    """Remove what a student has handed in."""
    if not place.is_dir():
        raise ValueError(f"SUBMISSIONS must be a folder to remove something from it, got {place}")
    who = Course(
        people={row["assignment"]: Person(row["name"], row["full_name"]) for row in theirs}
    )
    known = {number for row in theirs for number in (row["canvas"], row["moodle"])} - {""}
    for name, student in submissions.collect(place, is_student=who.knows)[0].items():
        files = [*student.files, *student.papers]
        numbers = {number for file in files for number in (file.canvas, file.moodle)}
        if who.knows(student.name) and (name == student.name or numbers & known):
            for path in sorted(place / inner for inner in student.places):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                yield path
