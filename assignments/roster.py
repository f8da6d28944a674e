"""The course: who takes part, what is due when, what being late costs.

It stands in one file, `course.toml`; the instructor's guide has an example. The students stand in
it too, or in a table that Canvas, Moodle, Gradescope or nbgrader has exported.
"""

__all__ = ["Course", "Late", "Person", "load", "people"]

import datetime
import hmac
import math
import re
import time
import tomllib
import unicodedata
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sheets
from masters import Assignment

_DAY = 86_400.0
_GRACE = 2.0  # seconds, as a zip knows the time of a file no better
# Which of its columns says what, of each form; the first that has all its columns is the form.
_FORMS: dict[str, dict[str, str]] = {
    "Canvas": {
        "Student": "name",
        "ID": "canvas",
        "SIS User ID": "sid",
        "SIS Login ID": "login",
        "Section": "section",
    },
    "Moodle": {
        "Full name": "name",
        "Email address": "email",
        "First name": "first",
        "Last name": "last",
        "Surname": "last",
        "Username": "login",
        "ID number": "sid",
    },
    "Gradescope": {
        "SID": "sid",
        "Email": "email",
        "Name": "name",
        "First Name": "first",
        "Last Name": "last",
        "Section": "section",
        "Sections": "section",
    },
    "nbgrader": {
        "student_id": "student",
        "id": "student",
        "first_name": "first",
        "last_name": "last",
        "email": "email",
        "lms_user_id": "canvas",
    },
    "table of your own": {"student": "student", "name": "name", "email": "email"},
}
_MARKS = {
    "Canvas": ({"Student", "ID", "Section"},),
    "Moodle": (
        {"Full name", "Email address"},
        {"Identifier", "Full name"},
        {"Username"},
        {"First name", "Last name"},
        {"First name", "Surname"},
    ),
    "Gradescope": ({"SID", "Email"},),
    "nbgrader": ({"student_id"}, {"id", "first_name"}),
    "table of your own": ({"student"},),
}

# Lines of a gradebook that are of no student, where no id stands beside these words.
_SUMMARY = re.compile(r"points possible|((class|overall) )?(average|mean|median)", re.I)
_STAFF = {"instructor", "ta", "reader", "teacher", "non-editing teacher", "manager"}
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d+|\d{3,}[.,]0+", re.I)


@dataclass(frozen=True)
class Person:
    """A student, with the names that systems have for them; empty where none is known."""

    student: str
    name: str = ""
    first: str = ""
    last: str = ""
    email: str = ""
    sid: str = ""
    login: str = ""
    canvas: str = ""
    section: str = ""

    @property
    def full_name(self) -> str:
        """First and last name, in this order."""
        if self.first or self.last:
            return f"{self.first} {self.last}".strip()
        last, comma, first = self.name.partition(",")
        return f"{first.strip()} {last.strip()}" if comma else self.name or self.student

    @property
    def sortable_name(self) -> str:
        """Last name, comma, first name."""
        first, last = self.names
        return f"{last}, {first}" if first else last

    @property
    def names(self) -> tuple[str, str]:
        """First and last name; the last word is the last name where nothing says more."""
        if self.first or self.last:
            return self.first, self.last
        last, comma, first = self.name.partition(",")
        if comma:
            return first.strip(), last.strip()
        first, _, last = self.full_name.rpartition(" ")
        return first, last

    @property
    def keys(self) -> list[set[str]]:
        """By what a folder or a file may name them, the surest first."""
        first, last = self.names
        return [
            _plain(self.student, self.sid, self.login, self.email, self.canvas),
            _plain(self.name, f"{first} {last}", f"{last} {first}"),
            _plain(self.email.partition("@")[0]),
        ]


def _plain(*names: str) -> set[str]:
    """Names as they are compared: without accents' forms, case, spaces and signs."""
    folded = (unicodedata.normalize("NFKC", name).casefold() for name in names)
    return {"".join(c for c in name if c.isalnum()) for name in folded} - {""}


@dataclass(frozen=True)
class Late:
    """How late something was handed in: in days, those that are free, and the part it costs."""

    days: int = 0
    free: int = 0
    part: float = 0.0


@dataclass(frozen=True)
class Course:
    """What `course.toml` says.

    Attributes:
        people: of the roster, by what they are called in the tables.
        due: until when each assignment is to be handed in.
        caps: the most points that count of an assignment.
        columns: what an assignment is called in Canvas.
        worksheets: Moodle's grading worksheet of an assignment.
        extensions: other dates, for one student and one assignment.
        late_days: how many days late are free in the whole course.
        late_days_each: and how many of them for one assignment.
        penalty: the part of the points that each further day costs.
        zone: whose clock the dates are of; nothing for that of this machine.
        secret: what pseudonyms are made of; without it names are shown.
    """

    people: Mapping[str, Person] = field(default_factory=dict)
    due: Mapping[str, datetime.datetime] = field(default_factory=dict)
    caps: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    worksheets: Mapping[str, Path] = field(default_factory=dict)
    extensions: Mapping[tuple[str, str], datetime.datetime] = field(default_factory=dict)
    late_days: int = 0
    late_days_each: int | None = None
    penalty: float = 0.0
    zone: datetime.tzinfo | None = None
    secret: str = ""

    def shown(self, student: str) -> str:
        """Return what stands in tables and on pages: a name, or the pseudonym of it."""
        if not self.secret:
            return student
        digest = hmac.new(self.secret.encode(), student.encode("utf-8", "replace"), "sha256")
        return f"student-{digest.hexdigest()[:8]}"

    def find(self, name: str, number: str = "") -> Person:
        """Return who is meant by a folder's or a file's name.

        Raises:
            ValueError: when it is nobody, or may be one of several.
        """
        for person in self.people.values():
            if number and person.canvas == number:
                return person
        people_, wanted = self.people.values(), _plain(name)
        ids = ((p, {p.student, p.sid, p.login, p.email, p.canvas} - {""}) for p in people_)
        exact = [person for person, own in ids if name in own]
        for found in (exact, *([p for p in people_ if wanted & p.keys[t]] for t in range(3))):
            if len(found) == 1:
                return found[0]
            if found:
                several = ", ".join(p.student for p in found)
                raise ValueError(f"{name} may be one of several on the roster: {several}")
        raise ValueError(f"{name} is not on the roster")

    def knows(self, name: str) -> bool:
        """Tell whether a name is somebody's on the roster."""
        wanted = _plain(name)
        return any(wanted & keys for person in self.people.values() for keys in person.keys)

    def deadline(self, student: str, assignment: str) -> datetime.datetime | None:
        """Return until when a student may hand it in without being late."""
        return self.extensions.get((student, assignment), self.due.get(assignment))

    def is_over(self, student: str, assignment: str) -> bool:
        """Tell whether there was a date, and it is over."""
        deadline = self.deadline(student, assignment)
        return deadline is not None and deadline < datetime.datetime.now(datetime.UTC)

    def late(self, student: str, times: Mapping[str, float], spent: int = 0) -> dict[str, Late]:
        """Return how late each assignment was; free days go to what was due first.

        Args:
            student: as on the roster.
            times: when each was handed in, seconds since 1970.
            spent: free days that other assignments have taken.
        """
        left = max(0, self.late_days - spent)
        found = {}
        dated = {a: self.deadline(student, a) for a in times}
        for name, due in sorted(
            ((name, due) for name, due in dated.items() if due), key=lambda entry: entry[1]
        ):
            days = self._days(times[name], due)
            each = left if self.late_days_each is None else self.late_days_each
            free = min(days, left, each)
            left -= free
            found[name] = Late(days, free, min(1.0, self.penalty * (days - free)))
        return found

    def when(self, seconds: float) -> datetime.datetime:
        """Return the time that is so many seconds after 1970, by the clock of the course."""
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone(self.zone)

    def seconds(self, clock: datetime.datetime) -> float:
        """Return how many seconds after 1970 the clock of the course shows a time."""
        return clock.replace(tzinfo=self.zone).timestamp()

    def _days(self, seconds: float, due: datetime.datetime) -> int:
        """How many days after a date, each of which ends when the clock shows the same again.

        So a day on which summer time ends has 25 hours.
        """
        if seconds <= due.timestamp() + _GRACE:
            return 0
        clock = self.when(due.timestamp()).replace(tzinfo=None)
        days = max(1, int((seconds - due.timestamp()) / _DAY) - 1)
        while seconds > self.seconds(clock + datetime.timedelta(days=days)) + _GRACE:
            days += 1
        return days


def load(path: Path, assignments: Mapping[str, Assignment]) -> Course:
    """Read a course's file.

    Raises:
        ValueError: when it cannot be read, with the line, or a field cannot be, with its name.
    """
    names = list(assignments)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name}: {error}") from None
    read = _Fields(path.name, "", data)
    people_ = _roster(path, read)
    zone = read.zone("zone")
    course = {
        "people": people_,
        "late_days": read.count("late_days", 0),
        "late_days_each": read.count("late_days_each", None),
        "penalty": read.number("penalty", 0.0, 1.0),
        "zone": zone,
        "secret": read.text("pseudonyms"),
    }
    due, caps, columns, worksheets = {}, {}, {}, {}
    for name, fields in read.table("assignments", names):
        if (date := fields.date("due", zone)) is not None:
            due[name] = date
        if "cap" in fields.data:
            caps[name] = fields.number("cap", 0.0, math.inf)
        if title := fields.text("canvas"):
            columns[name] = title.strip()
        if sheet := fields.text("moodle"):
            worksheets[name] = _beside(path, sheet, f"assignments.{name}.moodle")
        fields.end()
    titles = {name: a.title for name, a in assignments.items()} | columns
    _once(path.name, "canvas", titles, [*_FORMS["Canvas"]])
    _once(path.name, "moodle", {name: str(sheet) for name, sheet in worksheets.items()})
    extensions = {}
    for student, fields in read.table("extensions", list(people_) or None):
        for name in list(fields.data):
            if name not in names:
                raise fields.wrong(name, f"one of {', '.join(names)}", name)
            if (date := fields.date(name, zone)) is not None:
                if date < due.get(name, date):
                    raise fields.wrong(name, f"later than {due[name]}", str(date))
                extensions[student, name] = date
    read.end()
    return Course(
        **course,
        due=due,
        caps=caps,
        columns=columns,
        worksheets=worksheets,
        extensions=extensions,
    )


def _once(place: str, field_: str, names: Mapping[str, str], others: Iterable[str] = ()) -> None:
    """Refuse what two assignments are called: one would have the points of the other."""
    taken = {name.casefold(): "a column of the student's" for name in others}
    for assignment, name in names.items():
        if (other := taken.get(name.casefold())) is not None:
            raise ValueError(
                f"{place}: assignments.{assignment}.{field_} must be its own, {name!r} is {other}"
            )
        taken[name.casefold()] = f"that of {assignment}"


def _beside(path: Path, name: str, field_: str) -> Path:
    found = path.parent / name
    if not found.is_file():
        raise ValueError(f"{path.name}: {field_} must be a file, there is no {found}")
    return found


def _roster(path: Path, read: "_Fields") -> dict[str, Person]:
    roster = read.take("roster", [])
    if isinstance(roster, str):
        return people(_beside(path, roster, "roster"))
    if not isinstance(roster, list) or not all(isinstance(row, dict) for row in roster):
        raise ValueError(
            f"{path.name}: roster must be the name of a file, or a list of "
            f'{{student = "...", name = "...", email = "..."}}, got {roster!r}'
        )
    known = ("student", "name", "email", "sid", "login", "section", "first", "last")
    found = []
    for number, row in enumerate(roster, 1):
        for key, value in row.items():
            if key not in known or not isinstance(value, str):
                raise ValueError(
                    f"{path.name}: roster, student {number}: {key} must be one of "
                    f"{', '.join(known)}, and a text, got {value!r}"
                )
        found.append((f"student {number}", Person(**{"student": "", **row})))
    return _checked(f"{path.name}: roster", found)


def people(path: Path) -> dict[str, Person]:
    """Read a roster: what Canvas, Moodle, Gradescope or nbgrader exports, or a table of one's own.

    Raises:
        ValueError: when it is none of these, or a line names nobody or somebody twice.
    """
    columns, rows = sheets.read(path, {column for form in _FORMS.values() for column in form})
    form = next((f for f, marks in _MARKS.items() if any(m <= set(columns) for m in marks)), "")
    if not form:
        known = "; ".join(f"{f}: {', '.join(_FORMS[f])}" for f in _FORMS)
        raise ValueError(f"{path.name} must have the columns of one of these: {known}")
    found = []
    for line, row in rows:
        fields = {
            field_: sheets.bare(row[column])
            for column, field_ in _FORMS[form].items()
            if row.get(column)
        }
        name = fields.get("name") or fields.get("student", "")
        is_summary = not fields.keys() & {"canvas", "sid", "login", "email"}
        is_summary &= bool(_SUMMARY.fullmatch(name))
        # Canvas' pupil for trying things out, and those who teach.
        role = row.get("Role") or row.get("Roles") or ""
        if not fields or is_summary or name == "Student, Test" or role.casefold() in _STAFF:
            continue
        found.append((f"line {line}", Person(**{"student": "", **fields})))
    if not found:  # which would be no roster, and let everybody in
        raise ValueError(f"{path.name} has no student in it")
    return _checked(path.name, found)


def _checked(place: str, found: list[tuple[str, Person]]) -> dict[str, Person]:
    """Give each their key: what they are called in the tables."""
    checked: dict[str, Person] = {}
    known: set[tuple[str, str]] = set()
    for where, person in found:
        key = person.student or person.login or person.sid or person.email or person.canvas
        key = unicodedata.normalize("NFC", key or person.full_name).strip()
        wrong = re.search(r"[/\\\x00-\x1f\x7f]", key) or key.startswith(".")
        if not key or wrong or len(key.encode()) > 200:
            raise ValueError(f"{place}, {where}: student must be a name or an id, got {key!r}")
        for id_ in (key, person.sid, person.login, person.canvas):
            if _ROUNDED.fullmatch(id_) or (id_ == person.canvas and re.search("[.,]", id_)):
                raise ValueError(
                    f"{place}, {where}: {id_} is a number that a spreadsheet has rounded; "
                    "export the roster again, and do not save it there"
                )
        if key in checked:
            raise ValueError(f"{place}, {where}: {key} is there already")
        if any("\n" in value for value in person.__dict__.values()):
            raise ValueError(f'{place}, {where}: {key}: a quote (") has no end')
        # By these other systems find a student; one that has no letter and no digit is none.
        ids = {(id_, getattr(person, id_)) for id_ in ("canvas", "sid", "login")}
        ids = {(id_, value) for id_, value in ids if re.search(r"\w", value)}
        if twice := sorted(known & ids):
            raise ValueError(
                f"{place}, {where}: {key} has the same {' '.join(twice[0])} as another"
            )
        known |= ids
        checked[key] = Person(**{**person.__dict__, "student": key})
    return checked


@dataclass
class _Fields:
    """A table of the file, read field by field; what is left over is refused."""

    place: str
    prefix: str
    data: dict[str, Any]
    known: list[str] = field(default_factory=list)

    def wrong(self, name: str, right: str, got: Any) -> ValueError:
        return ValueError(f"{self.place}: {self.prefix}{name} must be {right}, got {got!r}")

    def take(self, name: str, default: Any) -> Any:
        self.known.append(name)
        return self.data.get(name, default)

    def count(self, name: str, default: Any) -> Any:
        value = self.take(name, default)
        if value is not default and (type(value) is not int or value < 0):
            raise self.wrong(name, "a number of days", value)
        return value

    def number(self, name: str, default: float, most: float) -> float:
        value = self.take(name, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not 0 <= value <= most
        ):
            right = "a number" if most == math.inf else f"a number between 0 and {most:g}"
            raise self.wrong(name, right, value)
        return float(value)

    def text(self, name: str) -> str:
        value = self.take(name, "")
        if not isinstance(value, str) or (name in self.data and not value.strip()):
            raise self.wrong(name, "a text", value)
        return value

    def zone(self, name: str) -> datetime.tzinfo | None:
        value = self.text(name)
        try:
            return zoneinfo.ZoneInfo(value) if value else None
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise self.wrong(name, "a zone such as Europe/Berlin", value) from None

    def date(self, name: str, zone: datetime.tzinfo | None) -> datetime.datetime | None:
        value = self.take(name, None)
        if type(value) is datetime.date:  # the whole of that day
            value = datetime.datetime.combine(value, datetime.time(23, 59, 59))
        if value is None:
            return None
        if not isinstance(value, datetime.datetime):
            raise self.wrong(name, "a date such as 2026-10-12T23:59:00+02:00", value)
        if value.tzinfo is None and zone is None and time.tzname == ("UTC", "UTC"):
            # As in a container, wherever it stands.
            raise ValueError(
                f"{self.place}: {self.prefix}{name} must say its zone, as the clock of this "
                f'machine has UTC: write zone = "Europe/Berlin" at the top, or "UTC", '
                f"got {value}"
            )
        return value.replace(tzinfo=zone) if value.tzinfo is None and zone else value.astimezone()

    def table(self, name: str, among: list[str] | None) -> list[tuple[str, "_Fields"]]:
        value = self.take(name, {})
        if not isinstance(value, dict):
            raise self.wrong(name, f"a table, [{name}.NAME]", value)
        found = []
        for key, fields in value.items():
            if among is not None and key not in among:
                some = ", ".join(among[:8]) + (", ..." if len(among) > 8 else "")
                raise self.wrong(f"{name}.{key}", f"one of {some}", key)
            if not isinstance(fields, dict):
                raise self.wrong(f"{name}.{key}", f"a table, [{name}.{key}]", fields)
            found.append((key, _Fields(self.place, f"{self.prefix}{name}.{key}.", fields)))
        return found

    def end(self) -> None:
        for name in self.data:
            if name not in self.known:
                raise ValueError(
                    f"{self.place}: there is no field {self.prefix}{name}, "
                    f"but {', '.join(self.known)}"
                )
