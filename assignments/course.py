"""Build the students' notebooks from the masters, and grade what comes back.

    python assignments/course.py release [--output DIR]
    python assignments/course.py grade SUBMISSIONS [--output DIR] [--course FILE] [--seed N]
        [--jobs N | --scheduler ADDRESS] [--assignment NAME] [--student NAME] [--written FILE]

The masters in `source/NAME/NAME.ipynb` are notebooks in nbgrader's format, so nbgrader and its
formgrader take them as they are. SUBMISSIONS holds one folder per student. The instructor's guide
in the book explains the rest.
"""

__all__ = ["Marks", "Report", "grade", "grade_folder", "read_marks"]

import argparse
import datetime
import hashlib
import itertools
import json
import os
import secrets
import shutil
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent))
import exchange
import pages
import roster
import sandbox
import sheets
import similarity
import submissions
import summary
import wire
from masters import Assignment, masters, release
from roster import Course, Late
from submissions import File, Found, Student

try:
    from vaebook import jobs
except ImportError:
    sys.exit("the grader needs the book's package, vaebook: pip install it, or call make grade")

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
    papers: list[File] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    file: File | None = None
    late: Late = field(default_factory=Late)
    cap: float | None = None

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
        row = {
            "student": self.student,
            "assignment": self.assignment.name,
            "status": self.status,
            "filled": self.found.n_filled,
            "automatic": _number(automatic),
            "automatic_of": _number(of),
            "written": "",
            "written_of": _number(sum(self.assignment.written.values())),
            "handed_in": _time(self.file),
            "days_late": self.late.days or "",
            "late_days_used": self.late.free or "",
            "taken_off": "",
            "total": "",
            "total_of": _number(of + sum(self.assignment.written.values())),
            "seed": self.seed,
            "seconds": f"{self.outcome.seconds:.1f}",
        }
        if written is not None:
            reached = automatic + written
            total = min(reached * (1 - self.late.part), self.cap or reached)
            row |= {"written": _number(written), "total": _number(total)}
            row["taken_off"] = _number(reached - total) if total < reached else ""
        return row


def _number(points: float) -> str:
    return f"{round(points, 2):g}"


def _time(file: File | None) -> str:
    """When it was handed in, as far as that is known."""
    if file is None:
        return ""
    if file.handed_in is None:
        return "late, not known when" if file.late else "not known"
    when = datetime.datetime.fromtimestamp(file.handed_in)
    return when.astimezone().isoformat(sep=" ", timespec="seconds")


# ---------------------------------------------------------------------------------------------
# Grading


def grade(
    path: Path, assignment: Assignment, seed: int = 0, limits: sandbox.Limits | None = None
) -> Report:
    """Grade one notebook."""
    file = File(path.name, path.read_bytes(), 0.0)
    found = submissions.part(submissions.read(file), assignment)
    report, plan = _prepare("", [(file, found)], assignment, seed)
    report.outcome = sandbox.run(plan, limits)
    return report


def _prepare(
    student: str, files: list[tuple[File, Found]], assignment: Assignment, seed: int
) -> tuple[Report, sandbox.Plan]:
    """Return a report without an outcome, and what has to be run for it, of the best of the files.

    That is the one with most cells filled in, and if several tie, the newest.
    """
    outcome = sandbox.Outcome(dict.fromkeys(assignment.tests, "not run"))
    file, found = max(files, key=lambda entry: (entry[1].n_filled, entry[0].time))
    if len(files) > 1:
        others = ", ".join(other.name for other, _ in files if other is not file)
        found.remarks.append(f"graded: {file.name}; not graded: {others}")
    report = Report(student, assignment, "graded", outcome, seed, found, file=file)
    return report, sandbox.Plan(found.cells, assignment.exam, seed)


def by_assignment(
    student: Student, assignments: dict[str, Assignment]
) -> tuple[dict[str, list[tuple[File, Found]]], dict[str, list[str]]]:
    """Sort a student's notebooks by assignment: by what is in them, else by their names.

    Returns:
        What is in those of each assignment, and why others that bear its name cannot be read.
    """
    found: dict[str, list[tuple[File, Found]]] = {}
    torn: dict[str, list[str]] = {}
    for file in student.files:
        named = next((n for n in assignments if n in file.name.lower()), "")
        try:
            notebook = submissions.read(file)
        except ValueError as error:
            if named:
                torn.setdefault(named, []).append(str(error))
            else:
                student.refused.append(str(error))
            continue
        parts = {n: submissions.part(notebook, a) for n, a in assignments.items()}
        best = max(parts, key=lambda name: parts[name].n_known)
        best = best if parts[best].n_known else named
        if best:
            found.setdefault(best, []).append((file, parts[best]))
        else:
            student.refused.append(f"{file.name} belongs to no assignment")
    return found, torn


def collect(place: Path, course: Course) -> tuple[dict[str, Student], list[str]]:
    """Return what each student has handed in, by roster if there is one, and what is nobody's."""
    students, strays = submissions.collect(place)
    if not course.people:
        return students, strays
    known = {name: Student(name) for name in course.people}
    claims: dict[str, dict[str, Student]] = {}
    canvas = {}
    for name, student in students.items():
        numbers = [file.canvas for file in (*student.files, *student.papers)]
        canvas[name] = next(filter(None, numbers), "")
        try:
            who = course.find(student.name, canvas[name]).student
        except ValueError as error:
            strays.append(str(error))
            continue
        claims.setdefault(who, {})[name] = student
    for who, those in claims.items():
        if len({canvas[name] for name in those} - {""}) > 1:
            strays.append(f"{', '.join(those)}: only one of them can be {who} of the roster")
            continue
        for student in those.values():
            known[who].add(student)
    return known, strays


def _papers(student: Student, assignment: str, others: Iterable[str]) -> list[File]:
    """The pictures and PDFs that may be of an assignment: none that bears another one's name."""
    return [
        paper
        for paper in student.papers
        if assignment in paper.name.lower()
        or not any(other in paper.name.lower() for other in others)
    ]


def grade_folder(
    place: Path,
    output: Path,
    seed: int,
    marks: Marks,
    course: Course | None = None,
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
    only_assignment: str = "",
    only_student: str = "",
) -> list[Report]:
    """Grade what lies in a folder or a zip; write the tables and the pages.

    What was graded before with the same tests and the same seed is not run again, and each result
    is kept as soon as it is there: an interrupted run goes on where it was.

    What somebody has typed into `written.csv` counts and stays, also what is typed while this
    runs; of `marks`, which go before, nothing is lost either, whatever is graded now.

    Raises:
        ValueError: when there is no such assignment or student, or marks are of neither.
    """
    course = course or Course()
    assignments = masters()
    if only_assignment and only_assignment not in assignments:
        raise ValueError(
            f"ASSIGNMENT must be one of {', '.join(assignments)}, got {only_assignment}"
        )
    students, strays = collect(place, course)
    for stray in strays:
        print(f"NOT GRADED: {stray}", flush=True)
    shown = {name: course.shown(name) for name in students}
    if only_student and only_student not in {*shown, *shown.values()}:
        raise ValueError(f"STUDENT must be one of {', '.join(students)}, got {only_student}")
    before = _before(output)
    known = {*shown.values(), *(student for student, _ in before)}
    _typed(output, marks, assignments, known)
    sorted_files = {name: by_assignment(s, assignments) for name, s in students.items()}
    # What nobody has filled in, and is not over by the course's file, has not been set.
    set_ = {
        a
        for files, torn in sorted_files.values()
        for a in (*torn, *(a for a, those in files.items() if any(f.n_filled for _, f in those)))
    }
    times = {a: exchange.submitted(sheet) for a, sheet in course.worksheets.items()}
    kept = output / "outcomes"
    kept.mkdir(parents=True, exist_ok=True)
    reports: list[Report] = []
    todo: list[tuple[Report, sandbox.Plan, Path]] = []
    gone = set()  # who was missing, and has now another date
    for name, student in students.items():
        if only_student not in ("", name, shown[name]):
            continue
        files, torn = sorted_files[name]
        own = {a: row for (s, a), row in before.items() if s == shown[name]}
        papers_of = {a: _papers(student, a, assignments) for a in assignments}
        due = {
            a
            for a in assignments
            if any(a in paper.name.lower() for paper in papers_of[a])
            or _is_missing(course, name, a, set_)
        }
        prepared = {}
        for a in assignments:
            if a in files:
                one = _prepare(shown[name], files[a], assignments[a], seed)
                if (file := one[0].file) and file.moodle in times.get(a, {}):
                    one[0].file = replace(file, handed_in=times[a][file.moodle])
                # A notebook as it was handed out is nothing, and takes no other's place.
                filled = own.get(a, {}).get("filled", "0") != "0"
                if one[0].found.n_filled or ((a in due or a in own) and not filled):
                    prepared[a] = one
        late = _late(course, name, [report for report, _ in prepared.values()], own)
        for assignment_name, assignment in assignments.items():
            if only_assignment not in ("", assignment_name):
                continue
            papers = papers_of[assignment_name]
            plan = None
            earlier = own.get(assignment_name, {}).get("status", "missing")
            if assignment_name in prepared:
                report, plan = prepared[assignment_name]
            elif assignment_name not in torn and (
                earlier == "graded"
                or (earlier != "missing" and not papers and not student.refused)
            ):
                continue  # it lay in another folder
            elif assignment_name in torn or assignment_name in due:
                outcome = sandbox.Outcome(dict.fromkeys(assignment.tests, "not handed in"))
                status = "; ".join(torn.get(assignment_name, []))[:500] or "missing"
                report = Report(shown[name], assignment, status, outcome, seed)
                if status == "missing" and papers:
                    report.status = f"no notebook, but {', '.join(p.name for p in papers)}"[:500]
                    report.file = papers[0]
                elif status == "missing" and student.refused:
                    reasons = "; ".join(student.refused)
                    report.status = f"nothing that can be read: {reasons}"[:500]
            else:
                gone.add((shown[name], assignment_name))
                continue
            report.papers = papers
            report.late = late.get(assignment_name, Late())
            report.cap = course.caps.get(assignment_name)
            report.found.remarks += [f"not read: {reason}" for reason in student.refused]
            reports.append(report)
            if plan is not None:
                path = kept / f"{_fingerprint(plan)}.json"
                try:
                    report.outcome = sandbox.Outcome(**json.loads(path.read_text("utf-8")))
                except (OSError, ValueError, TypeError):
                    todo.append((report, plan, path))
    _run(reports, todo, n_jobs, scheduler)
    for a in course.due:
        files_ = [report.file for report in reports if report.assignment.name == a and report.file]
        if n := sum(file.handed_in is None for file in files_):
            print(
                f"NOT KNOWN when {n} of {a} were handed in: no days late are counted", flush=True
            )
    typed, marks = _typed(output, marks, assignments, known)
    for report in reports:
        for question in report.assignment.written:
            points, comment = marks.get((report.student, question), (None, ""))
            report.comments[question] = comment
            if points is not None:
                report.marks[question] = points
    _keep_typed(output / "written.csv", typed, marks)
    rows = _written(reports, marks, assignments)
    _write(output, reports, rows, course, {shown[name]: name for name in students}, gone)
    for waiting in _not_counted(reports, marks, assignments, before):
        print(f"NOT COUNTED YET: {waiting}", flush=True)
    if not only_student:
        here = [report for report in reports if report.status != "missing"]
        for name in {report.assignment.name: None for report in here}:
            those = [report for report in here if report.assignment.name == name]
            pages.proofs(output / "proofs", assignments[name], those)
    for lacking in exchange.write(output, course, assignments):
        print(f"NOT COMPLETE: {lacking}", flush=True)
    for stray in strays:
        print(f"NOT GRADED: {stray}", flush=True)
    return reports


def _is_missing(course: Course, student: str, assignment: str, set_: set[str]) -> bool:
    """Tell whether a student should have handed something in."""
    if course.deadline(student, assignment) is not None:
        return course.is_over(student, assignment)
    return assignment in set_


def _before(output: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of earlier runs, by student and assignment."""
    path = output / "grades.csv"
    lines = sheets.read(path)[1] if path.exists() else []
    return {(sheets.bare(row["student"]), row["assignment"]): row for _, row in lines}


def _late(
    course: Course, student: str, reports: Iterable[Report], before: dict[str, dict[str, str]]
) -> dict[str, Late]:
    """How late a student was, with the free days that earlier runs have given."""
    files = {report.assignment.name: report.file for report in reports}
    times = {
        name: file.handed_in
        for name, file in files.items()
        if file is not None and file.handed_in is not None
    }
    spent = sum(int(r.get("late_days_used") or 0) for n, r in before.items() if n not in files)
    return course.late(student, times, spent)


def _run(
    reports: list[Report],
    todo: list[tuple[Report, sandbox.Plan, Path]],
    n_jobs: int,
    scheduler: str | None,
) -> None:
    """Run what has to be run, and keep what comes of it as soon as it is there."""
    if len(reports) > len(todo):
        print(f"{len(reports) - len(todo)} of {len(reports)} need not be run", flush=True)
    plans = [{"plan": plan} for _, plan, _ in todo]
    wire.hide(True)
    for found in jobs.each(sandbox.run, plans, n_jobs=n_jobs, scheduler=scheduler):
        report, _, path = todo[found.index]
        if found.error:
            report.status = f"could not be run: {found.error.splitlines()[-1]}"
        else:
            report.outcome = found.value
            part = path.with_suffix(".part")
            part.write_text(json.dumps(asdict(found.value)), encoding="utf-8")
            part.replace(path)
        print(_line(report), flush=True)
    wire.hide(False)
    for report in reports:
        if report.status != "graded":
            print(_line(report), flush=True)


def _fingerprint(plan: sandbox.Plan) -> str:
    """A hash of all that decides what comes of a plan."""
    text = json.dumps([plan.cells, asdict(plan.exam), plan.seed], sort_keys=True)
    return hashlib.sha256(_grader() + text.encode("utf-8", "replace")).hexdigest()[:32]


@cache
def _grader() -> bytes:
    """A hash of the code that judges, and of the mistakes that feedback can name."""
    modules = ("bank", "inside", "judge", "memory", "sandbox", "syscalls", "wire")
    files = [HERE / f"{name}.py" for name in modules]
    files += sorted((HERE / "answers" / "wrong").glob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).digest()


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
    columns, rows = sheets.read(path)
    if lacking := {"student", "question", "points"} - set(columns):
        raise ValueError(f"{path.name} must have columns {', '.join(sorted(lacking))}")
    largest = {q: p for a in assignments.values() for q, p in a.written.items()}
    marks: Marks = {}
    for line, row in rows:
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


def _typed(
    output: Path, new: Marks, assignments: dict[str, Assignment], known: set[str]
) -> tuple[Marks, Marks]:
    """Return what stands in the table now, and the same with newer marks among it.

    Raises:
        ValueError: when marks are of nobody, or the table cannot be read.
    """
    path = output / "written.csv"
    typed = read_marks(path, assignments) if path.exists() else {}
    marks = merged(typed, new)
    if unknown := sorted({student for student, _ in marks} - known):
        raise ValueError(f"marks of students who have handed in nothing: {', '.join(unknown)}")
    return typed, marks


def _keep_typed(path: Path, typed: Marks, marks: Marks) -> None:
    """Keep a copy of the table when something that a person has typed is about to change."""
    if any(marks[key] != value for key, value in typed.items()):
        copy = path.with_name(f"written-{datetime.datetime.now():%Y%m%d-%H%M%S}.csv")
        shutil.copyfile(path, copy)
        print(f"Marks have changed; those that were there are in {copy}", flush=True)


def _written(
    reports: list[Report], marks: Marks, assignments: dict[str, Assignment]
) -> list[dict[str, Any]]:
    """The lines of `written.csv`: what is to be marked, and every mark that there is."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for report in reports:
        for name in report.assignment.written:
            if report.status != "missing":
                papers = ", ".join(paper.name for paper in report.papers)
                there = "yes" if name in report.found.answers else papers or "no proof found"
                rows[report.student, name] = {"found": there}
    for key in marks:
        rows.setdefault(key, {})
    of = {q: (name, points) for name, a in assignments.items() for q, points in a.written.items()}
    for (student, question), row in rows.items():
        assignment, most = of[question]
        points, comment = marks.get((student, question), (None, ""))
        row |= {"student": student, "assignment": assignment, "question": question}
        row |= {"points": "" if points is None else f"{points:g}", "of": _number(most)}
        row["comment"] = comment
    return list(rows.values())


def _not_counted(
    reports: list[Report],
    marks: Marks,
    assignments: dict[str, Assignment],
    before: dict[tuple[str, str], dict[str, str]],
) -> Iterable[str]:
    """Which marks are not in a total, since what they belong to was not graded in this run."""
    here = {(report.student, report.assignment.name) for report in reports}
    students = sorted({student for student, _ in marks})
    for student, (name, assignment) in itertools.product(students, assignments.items()):
        points = [marks.get((student, question), (None, ""))[0] for question in assignment.written]
        given = [p for p in points if p is not None]
        counted = before.get((student, name), {}).get("written", "")
        complete = len(given) == len(points)
        if (student, name) not in here and complete and counted != _number(sum(given)):
            yield f"marks of {student} for {name}: they count when that is graded (again)"


def _write(
    output: Path,
    reports: list[Report],
    written: list[dict[str, Any]],
    course: Course,
    names: dict[str, str],
    gone: set[tuple[str, str]],
) -> None:
    columns = ["student", "assignment", "question", "points", "of", "comment", "found"]
    sheets.update(output / "written.csv", written, ("student", "question"), gone, columns)
    tests, who = [], []
    for report in reports:
        key = {"student": report.student, "assignment": report.assignment.name}
        for name, points in report.assignment.tests.items():
            error = report.outcome.errors[name]
            row = {"test": name, "points": _number(report.scores[name]), "of": _number(points)}
            tests.append(key | row | {"error": error})
        student, file = names[report.student], report.file
        row = {"name": student, "canvas": file.canvas if file else ""}
        row["full_name"] = course.people[student].full_name if course.people else student
        who.append(key | row | {"moodle": file.moodle if file else ""})
        page = output / "feedback" / report.student / f"{report.assignment.name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(pages.feedback(report), encoding="utf-8", errors="replace")
    key_ = ("student", "assignment")
    grades = sheets.update(output / "grades.csv", [r.row for r in reports], key_, gone)
    tests = sheets.update(output / "tests.csv", tests, (*key_, "test"), gone)
    sheets.update(output / "names.csv", who, key_, gone)
    summary.write(output, grades, tests)
    pairs = similarity.pairs(reports)
    sheets.update(output / "similar.csv", pairs, ("assignment", "student", "other"))


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


def _n_cores() -> int:
    """How many cores this process may use; all there are where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    releasing = commands.add_parser("release", help="write the students' notebooks")
    releasing.add_argument("--output", type=Path, default=Path("_build/assignments"))
    grading = commands.add_parser("grade", help="grade a folder with one folder per student")
    grading.add_argument("submissions", type=Path)
    grading.add_argument("--output", type=Path, default=Path("_build/grades"))
    grading.add_argument("--seed", type=int, help="of the random inputs (default: as last time)")
    grading.add_argument("--course", type=Path, help="course.toml (default: beside SUBMISSIONS)")
    grading.add_argument("--jobs", type=int, default=0, help="at a time (default: all cores)")
    grading.add_argument("--scheduler", help="address of a Dask cluster to grade on instead")
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
    beside = options.submissions.resolve().parent / "course.toml"
    try:
        course = Course()
        if options.course or beside.exists():
            course = roster.load(options.course or beside, masters())
        seed = _seed(output, options.seed)
        marks = read_marks(options.written, masters()) if options.written else {}
        reports = grade_folder(
            options.submissions,
            output,
            seed,
            marks,
            course,
            n_jobs=options.jobs or _n_cores(),
            scheduler=options.scheduler,
            only_assignment=options.assignment,
            only_student=options.student,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if not reports:
        parser.error(
            f"SUBMISSIONS must hold a notebook that is filled in, {options.submissions} has none"
        )
    print(f"Seed {seed}; tables, feedback/, proofs/ and exchange/ are in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
