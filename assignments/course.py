"""Build the students' notebooks from the masters, and grade what comes back.

    python assignments/course.py release [--output DIR]
    python assignments/course.py grade SUBMISSIONS [--output DIR] [--seed N] [--jobs N]
        [--assignment NAME] [--student NAME] [--written FILE]

The masters in `source/NAME/NAME.ipynb` are notebooks in nbgrader's format, so nbgrader and its
formgrader take them as they are. SUBMISSIONS holds one folder a student. The instructor's guide in
the book explains the rest.
"""

__all__ = ["Report", "grade", "grade_folder", "read_marks"]

import argparse
import csv
import hashlib
import html
import io
import json
import os
import secrets
import sys
import unicodedata
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sandbox
import submissions
from masters import Assignment, first_line, masters, release
from submissions import File, Found
from vaebook import jobs

HERE = Path(__file__).resolve().parent
Marks = dict[tuple[str, str], tuple[float | None, str]]


@dataclass
class Report:
    """What one student's submission of one assignment is worth."""

    student: str
    assignment: Assignment
    status: str
    outcome: sandbox.Outcome
    seed: int
    found: Found = field(default_factory=Found)
    marks: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def scores(self) -> dict[str, float]:
        """The points that each automatic test gave."""
        errors = self.outcome.errors
        return {n: 0.0 if errors[n] else p for n, p in self.assignment.tests.items()}

    @property
    def row(self) -> dict[str, Any]:
        """The line of the CSV file; what nobody has marked yet is left empty, not 0."""
        automatic, of = sum(self.scores.values()), sum(self.assignment.tests.values())
        marked = set(self.marks) >= set(self.assignment.written) or self.status == "missing"
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


def _number(points: float) -> str:
    return f"{points:g}"


# ---------------------------------------------------------------------------------------------
# Grading


def grade(
    path: Path, assignment: Assignment, seed: int = 0, limits: sandbox.Limits | None = None
) -> Report:
    """Grade one notebook."""
    file = File(path.name, path.read_bytes(), 0.0)
    report, plan = _prepare("", [file], assignment, seed)
    if plan is not None:
        report.outcome = sandbox.run(plan, limits)
    return report


def _prepare(
    student: str, files: list[File], assignment: Assignment, seed: int
) -> tuple[Report, sandbox.Plan | None]:
    """Return a report without an outcome, and what has to be run for it, of the best of the files.

    That is the one with most cells filled in, and of equals the newest.
    """
    outcome = sandbox.Outcome(dict.fromkeys(assignment.tests, "not run"))
    read: list[tuple[int, float, File, Found]] = []
    problems = []
    for file in files:
        try:
            found = submissions.part(submissions.read(file), assignment)
            read.append((found.n_filled, file.time, file, found))
        except ValueError as error:
            problems.append(str(error))
    if not read:
        return Report(student, assignment, "; ".join(problems), outcome, seed), None
    *_, file, found = max(read, key=lambda entry: entry[:2])
    if len(files) > 1:
        others = ", ".join(other.name for other in files if other is not file)
        found.remarks.append(f"graded: {file.name}; not graded: {others}")
    report = Report(student, assignment, "graded", outcome, seed, found)
    return report, sandbox.Plan(found.cells, assignment.exam, seed)


def by_assignment(
    student: submissions.Student, assignments: dict[str, Assignment]
) -> dict[str, list[File]]:
    """Sort a student's files by assignment: by what is in them, else by their names."""
    found: dict[str, list[File]] = {}
    for file in student.files:
        known = dict.fromkeys(assignments, 0)
        try:
            notebook = submissions.read(file)
            for name, assignment in assignments.items():
                known[name] = submissions.part(notebook, assignment).n_known
        except ValueError:
            pass
        best = max(known, key=known.__getitem__)
        if not known[best]:
            best = next((n for n in assignments if n in file.name.lower()), "")
        if best:
            found.setdefault(best, []).append(file)
        else:
            student.refused.append(f"{file.name} belongs to no assignment")
    return found


def grade_folder(
    place: Path,
    output: Path,
    seed: int,
    marks: Marks,
    n_jobs: int = 1,
    only_assignment: str = "",
    only_student: str = "",
) -> list[Report]:
    """Grade what lies in a folder or a zip; write the tables and the pages of feedback.

    What was graded before with the same tests and the same seed is not run again, and each result
    is kept as soon as it is there: an interrupted run goes on where it was.

    Raises:
        ValueError: when there is no such assignment or student, or marks are of neither.
    """
    assignments = masters()
    if only_assignment and only_assignment not in assignments:
        raise ValueError(
            f"ASSIGNMENT must be one of {', '.join(assignments)}, got {only_assignment}"
        )
    students, strays = submissions.collect(place)
    for stray in strays:
        print(f"NOT GRADED: {stray}", flush=True)
    if only_student and only_student not in students:
        raise ValueError(f"STUDENT must be one of {', '.join(students)}, got {only_student}")
    if unknown := sorted({student for student, _ in marks} - set(students)):
        raise ValueError(f"marks of students who have handed in nothing: {', '.join(unknown)}")
    sorted_files = {
        name: by_assignment(student, assignments) for name, student in students.items()
    }
    # What nobody has handed in has not been set.
    set_ = [a for a in assignments if any(a in files for files in sorted_files.values())]
    kept = output / "outcomes"
    kept.mkdir(parents=True, exist_ok=True)
    reports: list[Report] = []
    todo: list[tuple[Report, sandbox.Plan, Path]] = []
    for name, student in students.items():
        if only_student not in ("", name):
            continue
        for assignment_name in [only_assignment] if only_assignment else set_:
            assignment = assignments[assignment_name]
            if files := sorted_files[name].get(assignment_name, []):
                report, plan = _prepare(name, files, assignment, seed)
            else:
                outcome = sandbox.Outcome(dict.fromkeys(assignment.tests, "not handed in"))
                report, plan = Report(name, assignment, "missing", outcome, seed), None
            report.found.remarks += [f"not read: {reason}" for reason in student.refused]
            if report.status == "missing" and student.refused:
                report.status = f"nothing that can be read: {'; '.join(student.refused)}"[:500]
            for question in assignment.written:
                points, report.comments[question] = marks.get((name, question), (None, ""))
                if points is not None:
                    report.marks[question] = points
            reports.append(report)
            if plan is not None:
                path = kept / f"{_fingerprint(plan)}.json"
                try:
                    report.outcome = sandbox.Outcome(**json.loads(path.read_text("utf-8")))
                except (OSError, ValueError, TypeError):
                    todo.append((report, plan, path))
    plans = [{"plan": plan} for _, plan, _ in todo]
    if len(reports) > len(todo):
        print(f"{len(reports) - len(todo)} of {len(reports)} need not be run", flush=True)
    for found in jobs.each(sandbox.run, plans, n_jobs=n_jobs):
        report, _, path = todo[found.index]
        if found.error:
            report.status = f"could not be run: {found.error.splitlines()[-1]}"
        else:
            report.outcome = found.value
            part = path.with_suffix(".part")
            part.write_text(json.dumps(asdict(found.value)), encoding="utf-8")
            part.replace(path)
        print(_line(report), flush=True)
    for report in reports:
        if report.status != "graded":
            print(_line(report), flush=True)
    _write(output, reports)
    return reports


def _fingerprint(plan: sandbox.Plan) -> str:
    """A hash of all that decides what comes of a plan."""
    text = json.dumps([plan.cells, asdict(plan.exam), plan.seed], sort_keys=True)
    parts = [text.encode("utf-8", "replace")]
    parts += [(HERE / f"{n}.py").read_bytes() for n in ("inside", "judge", "sandbox", "wire")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def _line(report: Report) -> str:
    row = report.row
    points = f"{row['automatic']:>4} of {row['automatic_of']}"
    return f"{row['student']:20} {row['assignment']:12} {points}  {row['status']}"


# ---------------------------------------------------------------------------------------------
# Tables


def read_marks(path: Path, assignments: dict[str, Assignment]) -> Marks:
    """Read the points of the written answers from a `written.csv` that somebody has filled in.

    With commas, semicolons or tabs, in UTF-8 or as Excel saves it, with decimal commas.

    Raises:
        ValueError: when columns are missing, a line names no question, or its points are not
            within their range.
    """
    rows = _rows(path)
    if lacking := {"student", "question", "points"} - set(rows.fieldnames or []):
        raise ValueError(f"{path.name} must have columns {', '.join(sorted(lacking))}")
    largest = {q: p for a in assignments.values() for q, p in a.written.items()}
    marks: Marks = {}
    for row in rows:
        student = unicodedata.normalize("NFC", _bare(row["student"] or "")).strip()
        question, points = (row["question"] or "").strip(), (row["points"] or "").strip()
        comment = _bare(row.get("comment") or "")
        if not points and not comment:
            continue
        try:
            value = float(points.replace(",", ".")) if points else None
            right = question in largest and (value is None or 0 <= value <= largest[question])
        except ValueError:
            right = False
        if not right:
            raise ValueError(
                f"{path.name}: {student}, {question}: points must lie between 0 and "
                f"{largest.get(question, 'those of a question that exists')}, got {points}"
            )
        marks[student, question] = (value, comment)
    return marks


def _rows(path: Path) -> "csv.DictReader[str]":
    """The rows of a table as a spreadsheet may have saved it."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    head = text.split("\n", 1)[0]
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))


def _harmless(value: Any) -> Any:
    """A cell of a table that no spreadsheet takes for a formula."""
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


def _bare(value: str) -> str:
    return value[1:] if value[:1] == "'" and _harmless(value[1:]) != value[1:] else value


def _table(path: Path, rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    """Write rows in place of those with the same key; others that are there stay."""
    if path.exists():
        new = {tuple(str(_harmless(row[k])) for k in key) for row in rows}
        before = [row for row in _rows(path) if tuple(row.get(k) for k in key) not in new]
        rows = [{k: _bare(v or "") for k, v in row.items() if k} for row in before] + rows
        rows.sort(key=lambda row: (str(row["student"]), str(row["assignment"])))
    columns = list(rows[-1]) if rows else list(key)
    part = path.with_suffix(".part")
    # With a byte-order mark, by which Excel knows that it is UTF-8.
    with part.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows({k: _harmless(v) for k, v in row.items()} for row in rows)
    part.replace(path)


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
            if report.status != "missing":
                mark = report.marks.get(name)
                row = {"question": name, "points": "" if mark is None else _number(mark)}
                row |= {"of": _number(points), "comment": report.comments.get(name, "")}
                row["found"] = "yes" if name in report.found.answers else "no proof found"
                written.append(key | row)
        page = output / "feedback" / report.student / f"{report.assignment.name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(feedback(report), encoding="utf-8", errors="replace")
    _table(output / "grades.csv", [r.row for r in reports], ("student", "assignment"))
    _table(output / "tests.csv", tests, ("student", "assignment", "test"))
    _table(output / "written.csv", written, ("student", "assignment", "question"))


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
img {{ max-width: 100% }}
pre {{ background: #f3f3f3; padding: .6rem; overflow-x: auto; white-space: pre-wrap }}
</style>
<h1>{title}</h1>
<p><b>{student}</b>: {summary}</p>
{body}
</html>
"""


def feedback(report: Report) -> str:
    """Return a page that tells a student what each test said."""
    row, found = report.row, report.found
    summary = f"{row['automatic']} of {row['automatic_of']} points by the tests"
    summary += f", {row['written'] or 'not yet marked'} of {row['written_of']} for the proof."
    if report.status != "graded":
        summary += f" ({report.status})"
    parts = ["<table><tr><th>Test<th>Points<th>What it said"]
    for name, points in report.assignment.tests.items():
        error = report.outcome.errors[name]
        label = first_line(report.assignment.cells[name].source).lstrip("# ")
        score = f"{_number(report.scores[name])} / {_number(points)}"
        said = f"<pre>{html.escape(error)}</pre>" if error else "passed"
        parts.append(f"<tr><td>{html.escape(label)}<td class=points>{score}<td>{said}")
    parts.append("</table>")
    if remarks := [*found.remarks, *report.outcome.remarks]:
        items = "".join(f"<li>{html.escape(remark)}" for remark in remarks)
        parts.append(f"<h2>Remarks</h2><ul>{items}</ul>")
    for name, answer in found.answers.items():
        mark = "not yet marked" if name not in report.marks else _number(report.marks[name])
        comment = html.escape(report.comments.get(name, ""))
        parts.append(f"<h2>{name}: {mark} / {_number(report.assignment.written[name])}</h2>")
        parts.append(f"<p>{comment}</p><pre>{html.escape(answer)}</pre>")
        images = found.images.get(name, [])
        parts += [f'<p><img src="{html.escape(image)}" alt="pasted">' for image in images]
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


def _seed(output: Path, wanted: int | None) -> int:
    """The seed that was asked for, else that of the folder's last run, else a new one."""
    path = output / "seed"
    if wanted is None:
        try:
            wanted = int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            wanted = secrets.randbelow(2**31)
    output.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{wanted}\n", encoding="ascii")
    return wanted


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    releasing = commands.add_parser("release", help="write the students' notebooks")
    releasing.add_argument("--output", type=Path, default=Path("_build/assignments"))
    grading = commands.add_parser("grade", help="grade a folder with one folder a student")
    grading.add_argument("submissions", type=Path)
    grading.add_argument("--output", type=Path, default=Path("_build/grades"))
    grading.add_argument("--seed", type=int, help="of the random inputs (default: as last time)")
    grading.add_argument("--jobs", type=int, default=0, help="at a time (default: all cores)")
    grading.add_argument("--assignment", default="", help="this one only")
    grading.add_argument("--student", default="", help="this one only")
    grading.add_argument("--written", type=Path, help="written.csv with the points of the proofs")
    options = parser.parse_args(arguments)
    if options.command == "release":
        for name, assignment in masters().items():
            path = options.output / name / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(release(assignment), path)
            print(path)
        return 0
    if options.jobs < 0:
        parser.error(f"--jobs must be 1 or more, got {options.jobs}")
    # `make` passes an empty name where none is given, and that is the folder it runs in.
    if str(options.submissions) == ".":
        parser.error("SUBMISSIONS must be a folder or a zip: make grade SUBMISSIONS=DIR")
    for lack in sandbox.lacks():
        print(f"NOT PROTECTED: {lack}", file=sys.stderr, flush=True)
    output: Path = options.output
    try:
        seed = _seed(output, options.seed)
        # What somebody has typed into the table that is there counts, and stays.
        marks: Marks = {}
        for path in filter(None, (output / "written.csv", options.written)):
            if path == options.written or path.exists():
                marks |= read_marks(path, masters())
        n_jobs = options.jobs or len(os.sched_getaffinity(0))
        reports = grade_folder(
            options.submissions,
            output,
            seed,
            marks,
            n_jobs,
            options.assignment,
            options.student,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if not reports:
        parser.error(f"SUBMISSIONS must hold a student's notebook, {options.submissions} has none")
    print(f"Seed {seed}; grades.csv, tests.csv, written.csv and feedback/ are in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
