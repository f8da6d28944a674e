"""Build the students' notebooks from the masters, and grade what comes back.

    python assignments/course.py release [--output DIR]
    python assignments/course.py grade SUBMISSIONS [--output DIR] [--seed N] [--jobs N]
        [--written FILE]

The masters in `source/NAME/NAME.ipynb` are notebooks in nbgrader's format, so nbgrader and its
formgrader take them as they are. SUBMISSIONS holds one folder a student. The instructor's guide in
the book explains the rest.
"""

__all__ = ["Assignment", "Report", "grade", "load", "masters", "release"]

import argparse
import csv
import functools
import html
import re
import secrets
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sandbox
from vaebook import jobs

SOURCE = Path(__file__).resolve().parent / "source"
STUB, ANSWER = "# YOUR CODE HERE\nraise NotImplementedError()", "YOUR ANSWER HERE"
_SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION[ \t]*$", re.S | re.M)
_HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[ \t]*\n?", re.S | re.M)


@dataclass(frozen=True)
class Assignment:
    """A master: its notebook and what its cells are for, by grade_id."""

    name: str
    notebook: NotebookNode
    roles: dict[str, dict[str, Any]]

    @property
    def title(self) -> str:
        """The first heading."""
        return str(self.notebook.cells[0].source.split("\n")[0].lstrip("# "))

    @property
    def cells(self) -> dict[str, NotebookNode]:
        """The cells that have a grade_id."""
        return {_id(cell): cell for cell in self.notebook.cells if _id(cell)}

    @functools.cached_property
    def released(self) -> dict[str, str]:
        """The sources of these cells as the students get them."""
        return {_id(cell): cell.source for cell in release(self).cells if _id(cell)}

    @property
    def tests(self) -> dict[str, float]:
        """The points of each automatic test, in order."""
        return self._points(written=False)

    @property
    def written(self) -> dict[str, float]:
        """The points of each answer that a person marks."""
        return self._points(written=True)

    @property
    def helpers(self) -> str:
        """The name of the cell with the helpers of the tests."""
        return next(name for name in self.roles if name.endswith("-helpers"))

    def _points(self, written: bool) -> dict[str, float]:
        graded = {n: r for n, r in self.roles.items() if r["grade"] and r["solution"] is written}
        return {name: float(role["points"]) for name, role in graded.items()}


@dataclass
class Report:
    """What one student's submission of one assignment is worth."""

    student: str
    assignment: Assignment
    status: str
    outcome: sandbox.Outcome
    seed: int
    answers: dict[str, str] = field(default_factory=dict)
    marks: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def scores(self) -> dict[str, float]:
        """The points that each automatic test gave."""
        errors = self.outcome.errors
        return {n: 0.0 if errors[n] else p for n, p in self.assignment.tests.items()}

    @property
    def row(self) -> dict[str, Any]:
        """The line of the CSV file."""
        automatic, of = sum(self.scores.values()), sum(self.assignment.tests.values())
        marked = set(self.marks) >= set(self.assignment.written) or not self.answers
        written = sum(self.marks.values()) if marked else None
        return {
            "student": self.student,
            "assignment": self.assignment.name,
            "status": self.status,
            "automatic": _number(automatic),
            "automatic_of": _number(of),
            "written": "" if written is None else _number(written),
            "written_of": _number(sum(self.assignment.written.values())),
            "total": "" if written is None else _number(automatic + written),
            "total_of": _number(of + sum(self.assignment.written.values())),
            "seed": self.seed,
            "seconds": f"{self.outcome.seconds:.1f}",
        }


def load(path: Path) -> Assignment:
    """Read a master and check that it can be one.

    Raises:
        ValueError: when two cells share an id, a test has no points, or a solution no markers.
    """
    notebook = nbformat.read(path, as_version=4)
    ids = [name for name in map(_id, notebook.cells) if name]
    if twice := [name for name, count in Counter(ids).items() if count > 1]:
        raise ValueError(f"{path.name}: each grade_id must be there once, {twice} are not")
    roles = {_id(c): dict(c.metadata.nbgrader) for c in notebook.cells if _id(c)}
    for cell in notebook.cells:
        role = roles.get(_id(cell), {})
        if role.get("grade") and not role.get("points", 0) > 0:
            raise ValueError(f"{path.name}: {_id(cell)} must have points above 0")
        if role.get("solution") and cell.cell_type == "code" and not _SOLUTION.search(cell.source):
            raise ValueError(f"{path.name}: {_id(cell)} must mark its solution for removal")
    return Assignment(path.stem, notebook, roles)


def masters(source: Path = SOURCE) -> dict[str, Assignment]:
    """Read all masters, in order."""
    return {path.stem: load(path) for path in sorted(source.glob("*/*.ipynb"))}


def release(assignment: Assignment) -> NotebookNode:
    """Return the students' version: no solutions, no hidden tests, no outputs, tests locked."""
    notebook = nbformat.from_dict(assignment.notebook)
    for cell in notebook.cells:
        role = assignment.roles.get(_id(cell), {})
        if role.get("solution"):
            cell.source = _SOLUTION.sub(_stub, cell.source)
            if cell.cell_type == "markdown":
                cell.source = ANSWER
        cell.source = _HIDDEN.sub("", cell.source).rstrip()
        if role.get("locked"):
            cell.metadata.update(editable=False, deletable=False)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _stub(match: re.Match[str]) -> str:
    return "\n".join(match[1] + line for line in STUB.split("\n"))


def _id(cell: NotebookNode) -> str:
    return str(cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", ""))


def _number(points: float) -> str:
    return f"{points:g}"


# ---------------------------------------------------------------------------------------------
# Reading submissions


def read(path: Path) -> NotebookNode:
    """Read a notebook as it may come back: other line ends, a byte-order mark, older formats.

    Raises:
        ValueError: when it is no notebook.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
        notebook = nbformat.reads(text, as_version=4)
        for cell in notebook.cells:
            cell.source = "".join(cell.source).replace("\r\n", "\n").replace("\r", "\n")
    except Exception as error:
        raise ValueError(f"{path.name} is no notebook that can be read: {error}") from error
    return notebook


def identify(notebook: NotebookNode, assignment: Assignment) -> list[str]:
    """Return for each cell which cell of the master it is, or nothing for a student's own.

    By its grade_id; where an editor has dropped the metadata, by its first line.
    """
    first = {_first_line(source): name for name, source in assignment.released.items()}
    names = []
    for cell in notebook.cells:
        by_line = first.get(_first_line(cell.source), "") if cell.source.strip() else ""
        names.append(_id(cell) if _id(cell) in assignment.roles else by_line)
    return names


def _first_line(source: str) -> str:
    return source.strip().split("\n")[0].rstrip()


def plan(notebook: NotebookNode, assignment: Assignment, seed: int) -> tuple[sandbox.Plan, Any]:
    """Put a submission's code and the master's tests together; also remarks and answers."""
    cells, seen, remarks, answers = [], [], [], {}
    wanted = assignment.released
    names = identify(notebook, assignment)
    for position, (cell, name) in enumerate(zip(notebook.cells, names, strict=True), 1):
        role = assignment.roles.get(name, {})
        if name:
            seen.append(name)
        if role.get("locked"):
            originals = (wanted[name].strip(), assignment.cells[name].source.strip())
            if cell.source.strip() not in originals:
                remarks.append(f"{name} was changed; the original was used")
            if cell.cell_type == "code" and not role["grade"]:
                cells.append((name, assignment.cells[name].source))
        elif name in assignment.written:
            answers[name] = cell.source
        elif cell.cell_type == "code":
            cells.append((name or f"cell {position}", cell.source))
    missing = [n for n in wanted if n not in seen and assignment.cells[n].cell_type == "code"]
    remarks += [f"{name} is missing" for name in missing]
    tests = [(name, assignment.cells[name].source) for name in assignment.tests]
    helpers = assignment.cells[assignment.helpers].source
    return sandbox.Plan(cells, helpers, tests, seed), (remarks, answers)


def find(folder: Path, assignments: dict[str, Assignment]) -> dict[str, list[Path]]:
    """Sort a student's notebooks by assignment: by what is in them, else by their names.

    Of several the one that bears the assignment's name comes first, then the newest.
    """
    found: dict[str, list[Path]] = {name: [] for name in assignments}
    for path in sorted(folder.rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        common = {}
        try:
            notebook = read(path)
            for name, assignment in assignments.items():
                common[name] = len(set(filter(None, identify(notebook, assignment))))
        except ValueError:
            pass
        best = max(common, key=common.__getitem__, default="")
        if not common.get(best):
            best = next((n for n in assignments if n in path.stem.lower()), "")
        if best:
            found[best].append(path)
    for name, paths in found.items():
        paths.sort(key=lambda p: (p.stem != name, -p.stat().st_mtime))
    return found


# ---------------------------------------------------------------------------------------------
# Grading


def grade(
    path: Path,
    assignment: Assignment,
    student: str = "",
    seed: int = 0,
    limits: sandbox.Limits | None = None,
) -> Report:
    """Grade one notebook."""
    report, todo = prepare(path, assignment, student, seed)
    return report if todo is None else finish(report, sandbox.run(todo, limits))


def prepare(
    path: Path, assignment: Assignment, student: str, seed: int
) -> tuple[Report, sandbox.Plan | None]:
    """Return a report without an outcome, and what has to be run for it; nothing if unreadable."""
    outcome = sandbox.Outcome(dict.fromkeys(assignment.tests, "not run"))
    try:
        notebook = read(path)
    except ValueError as error:
        return Report(student, assignment, str(error), outcome, seed), None
    todo, (outcome.remarks, answers) = plan(notebook, assignment, seed)
    answers = {n: text for n, text in answers.items() if text.strip() not in ("", ANSWER)}
    return Report(student, assignment, "graded", outcome, seed, answers), todo


def finish(report: Report, outcome: sandbox.Outcome) -> Report:
    """Put what came of the run into a report, after the remarks that are there."""
    outcome.remarks[:0] = report.outcome.remarks
    report.outcome = outcome
    return report


def grade_folder(
    submissions: Path,
    output: Path,
    seed: int,
    marks: dict[tuple[str, str], tuple[float, str]],
    n_jobs: int = 1,
) -> list[Report]:
    """Grade one folder a student; write `grades.csv`, `tests.csv`, `written.csv`, feedback."""
    assignments = masters()
    reports: list[Report] = []
    plans = {}
    for stray in sorted(submissions.glob("*.ipynb")):
        print(f"not graded: {stray.name} lies in no student's folder", flush=True)
    for folder in sorted(p for p in submissions.iterdir() if p.is_dir() and p.name[0] not in "._"):
        for name, paths in find(folder, assignments).items():
            assignment = assignments[name]
            if not paths:
                outcome = sandbox.Outcome(dict.fromkeys(assignment.tests, "not handed in"))
                report = Report(folder.name, assignment, "missing", outcome, seed)
            else:
                report, todo = prepare(paths[0], assignment, folder.name, seed)
                if todo is not None:
                    plans[len(reports)] = todo
            report.outcome.remarks += [
                f"not graded: {other.relative_to(folder)}" for other in paths[1:]
            ]
            for question in assignment.written:
                if (folder.name, question) in marks:
                    points, comment = marks[folder.name, question]
                    report.marks[question], report.comments[question] = points, comment
            reports.append(report)
    places = list(plans)
    for found in jobs.each(
        sandbox.run, [{"plan": todo} for todo in plans.values()], n_jobs=n_jobs
    ):
        if found.error:
            raise RuntimeError(found.error)
        print(_line(finish(reports[places[found.index]], found.value)), flush=True)
    for report in reports:
        if report.status != "graded":
            print(_line(report), flush=True)
    _write(output, reports)
    return reports


def _line(report: Report) -> str:
    row = report.row
    points = f"{row['automatic']:>4} of {row['automatic_of']}"
    return f"{row['student']:20} {row['assignment']:12} {points}  {row['status']}"


def read_marks(
    path: Path, assignments: dict[str, Assignment]
) -> dict[tuple[str, str], tuple[float, str]]:
    """Read the points of the written answers from a `written.csv` that somebody has filled in.

    Raises:
        ValueError: when a line names no question, or its points are not within its range.
    """
    largest = {q: p for a in assignments.values() for q, p in a.written.items()}
    marks = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            if not (text := (row["points"] or "").strip()):
                continue
            question, points = row["question"], float(text.replace(",", "."))
            if question not in largest or not 0 <= points <= largest[question]:
                raise ValueError(
                    f"{path.name}: {row['student']}, {question}: points must lie between 0 and "
                    f"{largest.get(question, 'those of a question that exists')}, got {text}"
                )
            marks[row["student"], question] = (points, row.get("comment") or "")
    return marks


def _write(output: Path, reports: list[Report]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    tests, written = [], []
    for report in reports:
        key = {"student": report.student, "assignment": report.assignment.name}
        for name, points in report.assignment.tests.items():
            error = report.outcome.errors[name]
            row = {"test": name, "points": _number(report.scores[name]), "of": _number(points)}
            tests.append(key | row | {"error": error})
        for name, points in report.assignment.written.items():
            if name in report.answers:
                mark = report.marks.get(name)
                row = {"question": name, "points": "" if mark is None else _number(mark)}
                comment = report.comments.get(name, "")
                written.append(key | row | {"of": _number(points), "comment": comment})
        page = output / "feedback" / report.student / f"{report.assignment.name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(feedback(report), encoding="utf-8")
    for name, rows in {
        "grades": [report.row for report in reports],
        "tests": tests,
        "written": written,
    }.items():
        with (output / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            columns = list(rows[0]) if rows else ["student"]
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}: {student}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: auto; padding: 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid #bbb; padding: .4rem; text-align: left; vertical-align: top }}
td.points {{ white-space: nowrap }}
pre {{ background: #f3f3f3; padding: .6rem; overflow-x: auto; white-space: pre-wrap }}
</style>
<h1>{title}</h1>
<p><b>{student}</b>: {summary}</p>
{body}
</html>
"""


def feedback(report: Report) -> str:
    """Return a page that tells a student what each test said."""
    row = report.row
    summary = f"{row['automatic']} of {row['automatic_of']} points by the tests"
    summary += f", {row['written'] or 'not yet marked'} of {row['written_of']} for the proof."
    if report.status != "graded":
        summary += f" ({report.status})"
    parts = ["<table><tr><th>Test<th>Points<th>What it said"]
    for name, points in report.assignment.tests.items():
        error = report.outcome.errors[name]
        label = _first_line(report.assignment.cells[name].source).lstrip("# ")
        score = f"{_number(report.scores[name])} / {_number(points)}"
        said = f"<pre>{html.escape(error)}</pre>" if error else "passed"
        parts.append(f"<tr><td>{html.escape(label)}<td class=points>{score}<td>{said}")
    parts.append("</table>")
    if report.outcome.remarks:
        remarks = "".join(f"<li>{html.escape(remark)}" for remark in report.outcome.remarks)
        parts.append(f"<h2>Remarks</h2><ul>{remarks}</ul>")
    for name, answer in report.answers.items():
        mark = "not yet marked" if name not in report.marks else _number(report.marks[name])
        comment = html.escape(report.comments.get(name, ""))
        parts.append(f"<h2>{name}: {mark} / {_number(report.assignment.written[name])}</h2>")
        parts.append(f"<p>{comment}</p><pre>{html.escape(answer)}</pre>")
    if report.outcome.output:
        printed = html.escape(report.outcome.output[:4_000])
        parts.append(f"<h2>What your cells printed</h2><pre>{printed}</pre>")
    parts.append(f"<p>Random inputs of seed {report.seed}.</p>")
    return _PAGE.format(
        title=html.escape(report.assignment.title),
        student=html.escape(report.student),
        summary=html.escape(summary),
        body="\n".join(parts),
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    releasing = commands.add_parser("release", help="write the students' notebooks")
    releasing.add_argument("--output", type=Path, default=Path("_build/assignments"))
    grading = commands.add_parser("grade", help="grade a folder with one folder a student")
    grading.add_argument("submissions", type=Path)
    grading.add_argument("--output", type=Path, default=Path("_build/grades"))
    grading.add_argument("--seed", type=int, help="of the random inputs; a new one by default")
    grading.add_argument("--jobs", type=int, default=1, help="submissions at a time (default: 1)")
    grading.add_argument("--written", type=Path, help="written.csv with the points of the proofs")
    options = parser.parse_args(arguments)
    if options.command == "release":
        for name, assignment in masters().items():
            path = options.output / name / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(release(assignment), path)
            print(path)
        return 0
    if options.jobs < 1:
        parser.error(f"--jobs must be 1 or more, got {options.jobs}")
    if not options.submissions.is_dir():
        parser.error(f"SUBMISSIONS must be a folder, got {options.submissions}")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    marks = read_marks(options.written, masters()) if options.written else {}
    reports = grade_folder(options.submissions, options.output, seed, marks, options.jobs)
    if not reports:
        parser.error(f"SUBMISSIONS must hold one folder a student, {options.submissions} has none")
    print(f"Seed {seed}; grades.csv, tests.csv, written.csv and feedback/ are in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
