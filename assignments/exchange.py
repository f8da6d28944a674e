"""The marks as other systems read them: nbgrader, Canvas, Moodle, Gradescope.

The columns of Canvas are those of its `lib/gradebook_importer.rb`, of Moodle those of the grading
worksheet of `mod/assign/feedback/offline`, of nbgrader those of `nbgrader export`, and of
Gradescope those of its "Download grades".
"""

__all__ = ["submitted", "write"]

import contextlib
import datetime
import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import sheets
from masters import Assignment
from roster import Course, Person

Row = dict[str, Any]


def submitted(path: Path, course: Course) -> dict[str, float]:
    """Return when each participant has handed in, from Moodle's worksheet in English."""
    times = {}
    for _, row in sheets.read(path)[1]:
        number = _number(row)
        when = row.get("Last modified (submission)", "")
        # As in Britain, as in the United States; "-" is no time, and neither is another language.
        for day, clock in itertools.product(("%d %B %Y", "%B %d, %Y"), ("%I:%M %p", "%H:%M")):
            with contextlib.suppress(ValueError, OverflowError):
                time = datetime.datetime.strptime(when, f"%A, {day}, {clock}")
                times[number] = course.seconds(time)
    return times


def _number(row: Mapping[str, str]) -> str:
    """The number of a participant, in a line of Moodle's worksheet."""
    return sheets.bare(row.get("Identifier", "")).removeprefix("Participant ")


def write(output: Path, course: Course, assignments: Mapping[str, Assignment]) -> list[str]:
    """Write, from `grades.csv` and `names.csv`, what each system reads; return what is missing."""
    folder = output / "exchange"
    folder.mkdir(exist_ok=True)
    marks = {
        (sheets.bare(row["student"]), row["assignment"]): {
            column: sheets.bare(value) for column, value in row.items()
        }
        for _, row in sheets.read(output / "grades.csv")[1]
    }
    known = {course.shown(person.student): person for person in course.people.values()}
    participants = {}
    for _, row in sheets.read(output / "names.csv")[1]:
        shown, student = sheets.bare(row["student"]), sheets.bare(row["name"])
        participants[shown, row["assignment"]] = row["moodle"]
        if not course.people:
            before = known.get(shown)
            number = row["canvas"] or (before.canvas if before else "")
            known[shown] = Person(student, name=student, canvas=number)
    for row in marks.values():  # "not known" is no time
        row["handed_in"] = row["handed_in"] if row["handed_in"][:1].isdigit() else ""
    people = {s: known[s] for s in sorted({s for s, _ in marks} & known.keys())}
    for student in known:
        people.setdefault(student, known[student])
    set_ = [name for name in assignments if any(name == a for _, a in marks)]
    _nbgrader(folder, course, people, marks)
    _canvas(folder, course, people, marks, {name: assignments[name] for name in set_})
    lacking = []
    for name in set_:
        _gradescope(folder / f"gradescope-{name}.csv", course, people, marks, name)
        path = folder / f"moodle-{name}.csv"
        lacking += _moodle(path, course, people, marks, participants, name)
    return lacking


def _nbgrader(folder: Path, course: Course, people: dict[str, Person], marks: Any) -> None:
    rows, students = [], []
    for shown, person in people.items():
        first, last = person.names
        same = {"last_name": last, "first_name": first, "email": person.email}
        students.append({"id": person.student, **same, "lms_user_id": person.canvas})
        for (student, name), row in marks.items():
            if student == shown:
                due = course.deadline(person.student, name)
                raw = _sum(row["automatic"], row["written"])
                line = {"assignment": name, "duedate": due or "", "timestamp": row["handed_in"]}
                line |= {"student_id": person.student, **same, "raw_score": raw}
                line |= {"late_submission_penalty": row["taken_off"], "score": row["total"]}
                rows.append(line | {"max_score": row["total_of"]})
    columns = ["assignment", "duedate", "timestamp", "student_id", "last_name", "first_name"]
    columns += ["email", "raw_score", "late_submission_penalty", "score", "max_score"]
    sheets.write(folder / "nbgrader.csv", columns, rows)
    # What `nbgrader db student import` takes.
    columns = ["id", "last_name", "first_name", "email", "lms_user_id"]
    sheets.write(folder / "nbgrader-students.csv", columns, students, marked=False)


def _canvas(
    folder: Path,
    course: Course,
    people: dict[str, Person],
    marks: Any,
    assignments: Mapping[str, Assignment],
) -> None:
    titles = {name: course.columns.get(name, a.title) for name, a in assignments.items()}
    columns = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *titles.values()]
    points = {
        titles[name]: f"{sum(a.tests.values()) + sum(a.written.values()):g}"
        for name, a in assignments.items()
    }
    rows: list[Row] = [{"Student": "    Points Possible", **points}]
    for shown, person in people.items():
        row: Row = {"Student": person.sortable_name, "ID": person.canvas}
        row |= {"SIS User ID": person.sid, "SIS Login ID": person.login or person.email}
        row |= {"Section": person.section}
        for name, title in titles.items():
            row[title] = marks.get((shown, name), {}).get("total", "")
        rows.append(row)
    # Canvas looks for "Student" at the very beginning of the file.
    sheets.write(folder / "canvas.csv", columns, rows, marked=False)


def _moodle(
    path: Path,
    course: Course,
    people: dict[str, Person],
    marks: Any,
    participants: dict[tuple[str, str], str],
    name: str,
) -> list[str]:
    """Write Moodle's worksheet; return whom it, or the worksheet of Moodle, is without."""
    columns = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade"]
    columns += ["Grade can be changed", "Last modified (submission)", "Last modified (grade)"]
    columns += ["Feedback comments"]
    numbers = {shown: participants.get((shown, name), "") for shown in people}
    theirs: dict[str, Row] = {}
    lacking: list[str] = []
    if name in course.worksheets:
        sheet = course.worksheets[name].name
        columns, found = sheets.read(course.worksheets[name])
        if lack := {"Identifier", "Grade", "Last modified (grade)"} - set(columns):
            raise ValueError(f"{sheet} must have columns {', '.join(sorted(lack))}")
        for line, row in found:
            fields = {k: sheets.bare(v) for k, v in row.items()}
            try:
                who = _participant(fields, course, people, numbers)
                if who in theirs:
                    raise ValueError(f"{who} has another line")
                theirs[who] = fields
            except ValueError as error:
                lacking.append(f"{sheet}, line {line}, is left out: {error}")
    rows: list[Row] = []
    none: list[str] = []
    for shown, person in people.items():
        if (mark := marks.get((shown, name))) is None:
            continue
        given = theirs.get(shown)
        # Whom Moodle's own worksheet doesn't have, Moodle doesn't know.
        if given is None and (theirs or not numbers[shown]):
            none.append(shown)
            continue
        given = given or {
            "Identifier": f"Participant {numbers[shown]}",
            "Full name": person.full_name,
            "Email address": person.email,
            "Status": mark["status"],
            "Maximum grade": mark["total_of"],
            "Grade can be changed": "Yes",
            "Last modified (submission)": mark["handed_in"],
        }
        rows.append(given | {"Grade": mark["total"]})
    if not rows:  # nobody is on Moodle
        path.unlink(missing_ok=True)
        return lacking
    sheets.write(path, columns, rows)
    if none:
        why = "not in the worksheet" if theirs else "no participant's number"
        lacking.append(f"{path.name} is without {', '.join(none)}: {why}")
    return lacking


def _participant(
    fields: Mapping[str, str],
    course: Course,
    people: Mapping[str, Person],
    numbers: Mapping[str, str],
) -> str:
    """Return who is meant by a line of Moodle's worksheet: by number, by address, by name.

    Raises:
        ValueError: when it is nobody, or may be one of several.
    """
    number = _number(fields)
    if same := [shown for shown, known in numbers.items() if known and known == number]:
        return same[0]
    among = replace(course, people={person.student: person for person in people.values()})
    address, full = fields.get("Email address", ""), fields.get("Full name", "")
    if address and any(p.email.casefold() == address.casefold() for p in people.values()):
        return course.shown(among.find(address).student)
    name = full or f"participant {number}"
    if not course.people and not among.knows(name):
        raise ValueError(f"{name} has handed in nothing, and there is no roster")
    return course.shown(among.find(name).student)


def _gradescope(
    path: Path, course: Course, people: dict[str, Person], marks: Any, name: str
) -> None:
    columns = ["First Name", "Last Name", "SID", "Email", "Sections", "Total Score", "Max Points"]
    columns += ["Status", "Submission ID", "Submission Time", "Lateness (H:M:S)"]
    rows = []
    for shown, person in people.items():
        if (mark := marks.get((shown, name))) is None:
            continue
        first, last = person.names
        status = "Missing" if mark["status"] == "missing" else "Graded"
        row = {"First Name": first, "Last Name": last, "SID": person.sid or person.student}
        row |= {"Email": person.email, "Sections": person.section, "Total Score": mark["total"]}
        row |= {"Max Points": mark["total_of"], "Submission Time": mark["handed_in"]}
        row["Status"] = status if mark["total"] or status == "Missing" else "Ungraded"
        due = course.deadline(person.student, name)
        if mark["handed_in"] and due is not None:
            after = datetime.datetime.fromisoformat(mark["handed_in"]) - due
            seconds = int(after.total_seconds()) if mark["days_late"] else 0
            hours, rest = divmod(seconds, 3600)
            row["Lateness (H:M:S)"] = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
        rows.append(row)
    sheets.write(path, columns, rows)


def _sum(*points: str) -> str:
    return f"{sum(map(float, points)):g}" if all(points) else ""
