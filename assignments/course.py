"""Build the students' notebooks from the masters, and grade what comes back.

    python assignments/course.py release [--output DIR]
    python assignments/course.py grade SUBMISSIONS [--output DIR] [--course FILE] [--seed N]
        [--jobs N | --scheduler ADDRESS] [--assignment NAME] [--student NAME] [--written FILE]
    python assignments/course.py forget STUDENT [--output DIR] [--course FILE]
        [--submissions SUBMISSIONS]

The masters in `source/NAME/NAME.ipynb` are notebooks in nbgrader's format, so nbgrader and its
formgrader take them as they are. SUBMISSIONS holds one folder per student. The instructor's guide
in the book explains the rest.
"""

__all__ = ["Entry", "Report", "grade", "grade_folder"]

import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # nothing has begun: Ctrl-C ends it without a word
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent))
import exchange
import forget
import marks
import pages
import roster
import sandbox
import sheets
import similarity
import standing
import submissions
import summary
import wire
from marks import Mark, Marks, number
from masters import Assignment, masters, release
from roster import Course, Late
from submissions import File, Found, Student

try:
    from vaebook import jobs
except ImportError:
    sys.exit("the grader needs the book's package, vaebook: pip install it, or call make grade")

HERE = Path(__file__).resolve().parent
_MOST_NAMED = 100  # files of a student's that cannot be read
_MOST_READ = 100  # notebooks of a student's, each of which takes a while


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
    refused: list[str] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    earlier: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    file: File | None = None
    handed_in: str = ""
    late: Late = field(default_factory=Late)
    cap: float | None = None
    fingerprint: str = ""

    @property
    def scores(self) -> dict[str, float]:
        """The points that each automatic test gave."""
        errors = self.outcome.errors
        return {n: 0.0 if errors[n] else p for n, p in self.assignment.tests.items()}

    def digest(self, question: str) -> str:
        """Name an answer: another name is another answer, a line's end or a space is none."""
        text, images = self.found.answers.get(question), self.found.images.get(question, [])
        # Beside what stands elsewhere, the answer may be on a paper without a name.
        there = images or (text and not text.startswith(submissions.ELSEWHERE))
        papers = [p for p in self.papers if not there or self.assignment.name in p.name.lower()]
        if not (text or images or papers):
            return "none"
        digest = hashlib.sha256(" ".join((text or "").split()).encode("utf-8", "replace"))
        for part in (*(image.encode() for image in images), *(paper.data for paper in papers)):
            digest.update(hashlib.sha256(part).digest())
        return f"a{digest.hexdigest()[:12]}"  # a spreadsheet takes it for no number

    @property
    def is_graded(self) -> bool:
        """Whether its points say something of the student: not where the grader itself failed."""
        return not self.status.startswith("not graded")

    @property
    def row(self) -> dict[str, Any]:
        """The line of the CSV file; what nobody has marked or graded yet is empty, not 0."""
        automatic, of = sum(self.scores.values()), sum(self.assignment.tests.values())
        marked = set(self.marks) >= set(self.assignment.written) or self.status == "missing"
        written = sum(self.marks.values()) if marked else None
        row = {
            "student": self.student,
            "assignment": self.assignment.name,
            "status": self.status,
            "filled": self.found.n_filled,
            "automatic": number(automatic) if self.is_graded else "",
            "automatic_of": number(of),
            "written": "" if written is None else number(written),
            "written_of": number(sum(self.assignment.written.values())),
            "handed_in": self.handed_in,
            "days_late": self.late.days or "",
            "late_days_used": self.late.free or "",
            "taken_off": "",
            "total": "",
            "total_of": number(of + sum(self.assignment.written.values())),
            "seed": self.seed,
            "seconds": f"{self.outcome.seconds:.1f}",
        }
        if written is not None and self.is_graded:
            reached = automatic + written
            total = reached * (1 - self.late.part)
            total = total if self.cap is None else min(total, self.cap)
            row["total"] = number(total)
            row["taken_off"] = number(reached - total) if total < reached else ""
        return row


# ---------------------------------------------------------------------------------------------
# What there is of a student


@dataclass
class Entry:
    """What one student has handed in for one assignment, and what stood in the table before.

    Attributes:
        student: as on the roster.
        shown: as in the tables.
        assignment: which it is for.
        files: the notebooks that can be read, with what is in them.
        torn: why others that bear its name cannot be.
        papers: the pictures and PDFs that may be of it.
        refused: why something else cannot be read.
        due: whether there should be something.
        row: the line of `grades.csv`, where there is one.
    """

    student: str
    shown: str
    assignment: Assignment
    files: list[tuple[File, Found]] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    papers: list[File] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    due: bool = False
    row: dict[str, str] | None = None

    @property
    def named(self) -> list[File]:
        """The papers that bear the assignment's name."""
        return [paper for paper in self.papers if self.assignment.name in paper.name.lower()]

    @property
    def stands(self) -> str:
        """What stands for the student."""
        if any(found.n_filled for _, found in self.files):
            notebook = "filled"
        else:
            notebook = "unreadable" if self.torn else "untouched" if self.files else ""
        papers = "named" if self.named else "unnamed" if self.papers else ""
        before = standing.before(self.row)
        return standing.stands(notebook, papers, bool(self.refused), self.due, before)

    def report(self, seed: int) -> tuple[Report, sandbox.Plan | None] | None:
        """Return a report without an outcome, and what has to be run for it, if there is one."""
        stands = self.stands
        if stands in ("", "before"):
            return None
        if stands == "run":
            report, plan = _prepare(self.shown, self.files, self.assignment, seed)
            files = [report.file, *self.named] if report.file else []
            report.file = max(files, key=lambda f: f.handed_in or 0.0, default=None)
            if files and files[0].handed_in is None:
                report.file = files[0]
        else:
            plan = None
            outcome = sandbox.Outcome(dict.fromkeys(self.assignment.tests, "not handed in"))
            names = ", ".join(paper.name for paper in self.papers)
            status = {
                "missing": "missing",
                "unreadable": "; ".join(self.torn),
                "paper": f"no notebook, but {names}",
                "refused": f"nothing that can be read: {'; '.join(self.refused)}",
            }[stands]
            report = Report(self.shown, self.assignment, status[:500], outcome, seed)
            if stands == "paper":
                # Those without a name may be of another assignment: then the first counts.
                last = max if self.named else min
                report.file = last(self.named or self.papers, key=lambda f: f.handed_in or 0.0)
        reasons = [*self.torn, *self.refused]
        if len(reasons) > _MOST_NAMED:  # as in a folder with an environment of Python's
            reasons[_MOST_NAMED:] = [f"and {len(reasons) - _MOST_NAMED} more files"]
        report.papers, report.refused = self.papers, reasons
        report.found.remarks += [f"not read: {reason}" for reason in report.refused]
        return report, plan


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
    files = student.files
    if len(files) > _MOST_READ:
        files = sorted(files, key=lambda file: file.time, reverse=True)[:_MOST_READ]
        older = len(student.files) - _MOST_READ
        student.refused.append(f"{older} older notebooks, as more than {_MOST_READ} are here")
    for file in files:
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


def collect(
    place: Path, course: Course, assignments: Iterable[str] = ()
) -> tuple[dict[str, Student], list[str]]:
    """Return what each student has handed in, by roster if there is one, and what is nobody's."""
    students, strays = submissions.collect(place, course.zone, course.knows, assignments)
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


def _entries(
    students: dict[str, Student],
    assignments: dict[str, Assignment],
    course: Course,
    before: dict[tuple[str, str], dict[str, str]],
) -> dict[str, dict[str, Entry]]:
    """What there is for each student and each assignment."""
    entries: dict[str, dict[str, Entry]] = {}
    times = {a: exchange.submitted(sheet, course) for a, sheet in course.worksheets.items()}

    def timed(file: File, assignment: str) -> File:
        known = times.get(assignment, {})
        return replace(file, handed_in=known.get(file.moodle, file.handed_in))

    for name, student in students.items():
        files, torn = by_assignment(student, assignments)
        papers = {paper: paper.name.lower() for paper in student.papers}
        of = {p: [a for a in assignments if a in papers[p]] or list(assignments) for p in papers}
        shown = course.shown(name)
        entries[name] = {
            a: Entry(
                student=name,
                shown=shown,
                assignment=assignment,
                files=[(timed(file, a), found) for file, found in files.get(a, [])],
                torn=torn.get(a, []),
                papers=[timed(paper, a) for paper in papers if a in of[paper]],
                refused=student.refused,
                row=before.get((shown, a)),
            )
            for a, assignment in assignments.items()
        }
    # What nobody has filled in, and is not over by the course's file, has not been set; nor has
    # what a file with dates for others has none for, lest one who is early costs all others.
    set_ = {
        a
        for own in entries.values()
        for a, entry in own.items()
        if entry.torn or any(found.n_filled for _, found in entry.files)
    }
    for name, own in entries.items():
        for a, entry in own.items():
            dated = course.deadline(name, a) is not None
            entry.due = course.is_over(name, a) if dated else a in set_ and not course.due
    return entries


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


def grade_folder(
    place: Path,
    output: Path,
    seed: int,
    new: Marks,
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
    runs; of `new` marks, which go before, nothing is lost either, whatever is graded now.

    Raises:
        ValueError: when there is no such assignment or student, marks are of neither, or the
            tables that are there are of another course.
    """
    course = course or Course()
    assignments = masters()
    if only_assignment and only_assignment not in assignments:
        raise ValueError(
            f"ASSIGNMENT must be one of {', '.join(assignments)}, got {only_assignment}"
        )
    students, strays = collect(place, course, assignments)
    for stray in strays:
        print(f"NOT GRADED: {stray}", flush=True)
    if not course.people:
        for name in sorted({name for name, _ in course.extensions} - students.keys()):
            print(f"NOT USED: the extension of {name}, of whom nothing was handed in", flush=True)
    shown = {name: course.shown(name) for name in students}
    if only_student and only_student not in {*shown, *shown.values()}:
        raise ValueError(f"STUDENT must be one of {', '.join(students)}, got {only_student}")
    before = _before(output)
    known = {student for student, _ in before}
    if course.people and known and not known & {*shown.values()}:
        raise ValueError(
            f"{output} has grades of {', '.join(sorted(known)[:3])} and of nobody on the roster: "
            "grade another course, or this one with other pseudonyms, into another folder, "
            "GRADES=DIR"
        )
    known |= {*shown.values()}
    marks.typed(output, new, assignments, known, {})
    entries = _entries(students, assignments, course, before)
    reports: list[Report] = []
    plans: list[tuple[Report, sandbox.Plan]] = []
    gone = set()  # who was missing, and has now another date
    for name, own in entries.items():
        if only_student not in ("", name, shown[name]):
            continue
        prepared = {a: entry.report(seed) for a, entry in own.items()}
        late = _late(course, name, {a: one[0] for a, one in prepared.items() if one}, own)
        for a, one in prepared.items():
            if only_assignment not in ("", a):
                continue
            if one is None and own[a].stands == "":
                gone.add((shown[name], a))
            elif one is None and (papers := own[a].named):
                names = ", ".join(paper.name for paper in papers)
                print(f"NOT SHOWN: {names} of {shown[name]}: the notebook lies elsewhere")
            if one is None:
                continue
            report, plan = one
            report.handed_in = _time(report.file, course)
            report.late, report.cap = late.get(a, Late()), course.caps.get(a)
            reports.append(report)
            if plan is not None:
                plans.append((report, plan))
    _run(reports, plans, output / "outcomes", n_jobs, scheduler)
    for a in course.due:
        files = [report.file for report in reports if report.assignment.name == a and report.file]
        if n := sum(file.handed_in is None for file in files):
            print(f"NOT KNOWN when {n} of {a} were handed in: no days late are counted")
    answers = marks.answers(output / "written.csv", reports)
    typed, all_marks = marks.typed(output, new, assignments, known, answers)
    for report in reports:
        for question in report.assignment.written:
            mark = all_marks.get((report.student, question), Mark())
            report.comments[question] = mark.comment
            if mark.points is not None:
                counted = mark.is_of(report.digest(question))
                (report.marks if counted else report.earlier)[question] = mark.points
    marks.keep_typed(output / "written.csv", typed, all_marks)
    rows = marks.rows(reports, all_marks, assignments, answers)
    _write(output, reports, rows, course, {shown[name]: name for name in students}, gone)
    here = {(report.student, report.assignment.name) for report in reports}
    for waiting in marks.not_counted(here, all_marks, assignments, before, answers):
        print(f"NOT COUNTED YET: {waiting}", flush=True)
    for name in {a for _, a in here | gone}:
        those = [report for report in reports if report.assignment.name == name]
        pages.proofs(
            output / "proofs",
            assignments[name],
            those,
            all_marks,
            {s for s, a in gone if a == name},
        )
    for lacking in exchange.write(output, course, assignments):
        print(f"NOT COMPLETE: {lacking}", flush=True)
    for stray in strays:
        print(f"NOT GRADED: {stray}", flush=True)
    for report in reports:
        if not report.is_graded:
            print(f"NOT GRADED: {report.student}, {report.assignment.name}: grade again")
    return reports


def _before(output: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of earlier runs, by student and assignment."""
    path = output / "grades.csv"
    lines = sheets.read(path)[1] if path.exists() else []
    return {(sheets.bare(row["student"]), row["assignment"]): row for _, row in lines}


def _late(
    course: Course, student: str, reports: dict[str, Report], own: dict[str, Entry]
) -> dict[str, Late]:
    """How late a student was, with the free days that earlier runs have given."""
    files = {a: report.file for a, report in reports.items()}
    times = {
        a: file.handed_in
        for a, file in files.items()
        if file is not None and file.handed_in is not None
    }
    rows = [entry.row for a, entry in own.items() if entry.row and a not in reports]
    spent = sum(int(row.get("late_days_used") or 0) for row in rows)
    return course.late(student, times, spent)


def _time(file: File | None, course: Course) -> str:
    """When it was handed in, as far as that is known."""
    if file is None:
        return ""
    if file.handed_in is None:
        return "late, not known when" if file.late else "not known"
    return course.when(file.handed_in).isoformat(sep=" ", timespec="seconds")


def _run(
    reports: list[Report],
    plans: list[tuple[Report, sandbox.Plan]],
    kept: Path,
    n_jobs: int,
    scheduler: str | None,
) -> None:
    """Run what has to be run, and keep what comes of it as soon as it is there."""
    kept.mkdir(parents=True, exist_ok=True)
    todo: list[tuple[Report, sandbox.Plan]] = []
    for report, plan in plans:
        report.fingerprint = _fingerprint(plan)
        try:
            text = (kept / f"{report.fingerprint}.json").read_text(encoding="utf-8")
            report.outcome = sandbox.Outcome(**json.loads(text))
        except (OSError, ValueError, TypeError):
            todo.append((report, plan))
    if len(plans) > len(todo):
        print(f"{len(plans) - len(todo)} of {len(plans)} need not be run again", flush=True)
    for report, _ in todo:
        report.status = "not graded: the grader has not come to it"
    points = [{"plan": plan} for _, plan in todo]
    wire.hide(True)
    try:
        for found in jobs.each(sandbox.run, points, n_jobs=n_jobs, scheduler=scheduler):
            report, _ = todo[found.index]
            if found.error:
                report.status = f"not graded: {found.error.splitlines()[-1]}"[:500]
            else:
                report.status, report.outcome = "graded", found.value
                path = kept / f"{report.fingerprint}.json"
                part = path.with_suffix(".part")
                part.write_text(json.dumps(asdict(found.value)), encoding="utf-8")
                part.replace(path)
            print(_line(report), flush=True)
    except jobs.WorkersLost as lost:
        for report, _ in todo:
            if not report.is_graded:
                report.status = f"not graded: {lost}"[:500]
    finally:
        wire.hide(False)
    ran = {id(report) for report, _ in todo}
    for report in reports:
        if report.status != "graded" and id(report) not in ran:
            print(_line(report), flush=True)


def _fingerprint(plan: sandbox.Plan) -> str:
    """A hash of all that decides what comes of a plan."""
    text = json.dumps([plan.cells, asdict(plan.exam), plan.seed], sort_keys=True)
    return hashlib.sha256(_grader() + text.encode("utf-8", "replace")).hexdigest()[:32]


@cache
def _grader() -> bytes:
    """A hash of what judges: the code, the package, all libraries, the limits and the walls."""
    modules = ("bank", "inside", "judge", "memory", "sandbox", "syscalls", "wire")
    files = [HERE / f"{name}.py" for name in modules]
    files += sorted((HERE / "answers" / "wrong").glob("*.py"))
    files += sorted([*sandbox.PACKAGE.rglob("*.py"), *(sandbox.PACKAGE / "weights").iterdir()])
    # Also those that only students import: what was missing may be there now.
    installed = importlib.metadata.distributions()
    said: dict[str, Any] = {"libraries": sorted(f"{d.name} {d.version}" for d in installed)}
    said |= {"python": platform.python_version(), "limits": asdict(sandbox.Limits())}
    said |= {"lacks": sandbox.lacks()}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.digest()


def _line(report: Report) -> str:
    row = report.row
    points = f"{row['automatic'] or '-':>4} of {row['automatic_of']}"
    return f"{row['student']:20} {row['assignment']:12} {points}  {row['status']}"


# ---------------------------------------------------------------------------------------------
# Tables


def _write(
    output: Path,
    reports: list[Report],
    written: list[dict[str, Any]],
    course: Course,
    names: dict[str, str],
    gone: set[tuple[str, str]],
) -> None:
    def stays(without: set[tuple[str, str]]) -> Callable[[dict[str, Any]], bool]:
        return lambda row: (row.get("student"), row.get("assignment")) not in without

    columns = ["student", "assignment", "question", "points", "of", "comment", "found"]
    columns += ["answer", "marked"]
    path = output / "written.csv"
    sheets.update(path, written, ("student", "question"), stays(gone), columns)
    tests, who = [], []
    for report in reports:
        key = {"student": report.student, "assignment": report.assignment.name}
        for name, points in report.assignment.tests.items() if report.is_graded else ():
            error = report.outcome.errors[name]
            row = {"test": name, "points": number(report.scores[name]), "of": number(points)}
            tests.append(key | row | {"error": error})
        student, file = names[report.student], report.file
        row = {"name": student, "canvas": file.canvas if file else ""}
        row["full_name"] = course.people[student].full_name if course.people else student
        row |= {"moodle": file.moodle if file else "", "outcome": report.fingerprint}
        who.append(key | row)
        page = output / "feedback" / report.student / f"{report.assignment.name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(pages.feedback(report), encoding="utf-8", errors="replace")
    for student, assignment in gone:
        (output / "feedback" / student / f"{assignment}.html").unlink(missing_ok=True)
    here = {(report.student, report.assignment.name) for report in reports}
    key_ = ("student", "assignment")
    grades = sheets.update(output / "grades.csv", [r.row for r in reports], key_, stays(gone))
    # A test that a master no longer has is no line any more.
    columns = [*key_, "test", "points", "of", "error"]
    path = output / "tests.csv"
    tests = sheets.update(path, tests, (*key_, "test"), stays(gone | here), columns)
    sheets.update(output / "names.csv", who, key_, stays(gone))
    summary.write(output, grades, tests)
    similarity.update(output, reports, gone)


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
    forgetting = commands.add_parser("forget", help="remove all that is kept of one student")
    forgetting.add_argument("student")
    forgetting.add_argument("--output", type=Path, default=Path("_build/grades"))
    forgetting.add_argument(
        "--course", type=Path, help="course.toml (default: beside SUBMISSIONS)"
    )
    forgetting.add_argument("--submissions", type=Path, help="remove what was handed in, too")
    options = parser.parse_args(arguments)
    if options.command == "release":
        for name, assignment in masters().items():
            path = options.output / name / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(release(assignment), path)
            print(path)
        return 0
    # `make` passes an empty name where none is given, and that is the folder it runs in.
    if str(options.submissions) == ".":
        parser.error("SUBMISSIONS must be a folder or a zip: make grade SUBMISSIONS=DIR")
    try:
        course = _course(options.course, options.submissions)
        if options.command == "grade":
            return _graded(options, course)
        for path in forget.forget(options.output, options.student, course, options.submissions):
            print(path)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("\nInterrupted: what is graded is kept, and the same command goes on from there.")
        return 130
    return 0


def _course(path: Path | None, place: Path | None) -> Course:
    """The course of a file, or of that beside the submissions, or one of which nothing is said."""
    beside = place.resolve().parent / "course.toml" if place else None
    path = path or (beside if beside and beside.exists() else None)
    return roster.load(path, masters()) if path else Course()


def _graded(options: argparse.Namespace, course: Course) -> int:
    """Grade, having said what does not protect you and until when what is due."""
    if options.jobs < 0:
        raise ValueError(f"--jobs must be 1 or more, got {options.jobs}")
    for lack in sandbox.lacks():
        print(f"NOT PROTECTED: {lack}", flush=True)
    for name, due in course.due.items():
        print(f"{name} is due {due.astimezone(course.zone):%Y-%m-%d %H:%M:%S %Z}", flush=True)
    seed = _seed(options.output, options.seed)
    new = marks.read(options.written, masters()) if options.written else {}
    reports = grade_folder(
        options.submissions,
        options.output,
        seed,
        new,
        course,
        n_jobs=options.jobs or _n_cores(),
        scheduler=options.scheduler,
        only_assignment=options.assignment,
        only_student=options.student,
    )
    if not reports:
        raise ValueError(
            f"SUBMISSIONS must hold a notebook that is filled in, {options.submissions} has none"
        )
    print(f"Seed {seed}; tables, feedback/, proofs/ and exchange/ are in {options.output}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
