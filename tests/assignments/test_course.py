"""Running a course: its file, its roster, being late, and the tables of other systems."""

import copy
import csv
import datetime
import html
import importlib.metadata
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch

import course
import inside
import judge
import marks
import masters
import memory
import pages
import roster
import sandbox
import sheets
import similarity
import submissions
import wire
from marks import Mark
from tests.unit.cluster import Cluster

MASTERS = masters.masters()
BETA = MASTERS["5_beta"]
WORDS, PROOF = BETA.written
ROOT = Path(__file__).resolve().parent.parent.parent
UTC = datetime.UTC
DUE = datetime.datetime(2026, 3, 2, 12, tzinfo=UTC)


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a file into a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of a table, read without the code that wrote it."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


# ---------------------------------------------------------------------------------------------
# Tables as spreadsheets save them

TABLE = "student;name\r\nada;Löwe, Ada\r\n"


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("cp1252"),
        TABLE.encode("utf-16"),
        ("sep=;\r\n" + TABLE).encode("cp1252"),
        TABLE.replace(";", "\t").encode("utf-16"),
        b'student,name\nada,"Lo\xcc\x88we, Ada"\n',
    ],
)
def test_a_table_is_read_as_any_spreadsheet_saves_it(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    columns, found = sheets.read(tmp_path / "x.csv")
    assert columns == ["student", "name"]
    assert [row for _, row in found] == [{"student": "ada", "name": "Löwe, Ada"}]


NAMES = "Müller Schön Özil Weiß Élise García Peña Jørgensen Øystein Nicolò François Ève Ángel Âme"
NAMES += " MARTÍNEZ ÉMILE Noël cœur O’Brien it’s so… “good” Süß über Åsa Yıldız"


@pytest.mark.parametrize("name", NAMES.split())
def test_no_name_is_read_otherwise_than_a_mac_has_written_it(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", f"student,name\rada,Ada\rbob,{name}\r", "mac_roman")
    with pytest.raises(ValueError, match=r'x\.csv, line 3: .* Mac Roman: save .* "CSV UTF-8"'):
        sheets.read(path)


@pytest.mark.parametrize("name", [name for name in NAMES.split() if name != "Yıldız"])
def test_a_name_is_read_as_windows_has_written_it(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", f"student,name\nada,{name}\nbob,André\n", "cp1252")
    assert [row["name"] for _, row in sheets.read(path)[1]] == [name, "André"]


CENTRAL = "Dvořák Jiří Řezníček Čapek Zdeněk Růžička Staněk Plzeň Ďuriš Baťa Erdős Hegedűs Szűcs "
CENTRAL += "Wałęsa Łukasz Dąbrowski Święch Woźniak Żak Pająk Gdańsk Kovačević Đoković Šarić Ţepeş "
CENTRAL += "Ionuţ Călin Ľubomír Bąk Oľga DVOŘÁK ŁUKASZ KOVAČEVIĆ"


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859-2"])
@pytest.mark.parametrize("name", CENTRAL.split())
def test_no_name_of_central_europe_is_read_as_another(
    name: str, encoding: str, tmp_path: Path
) -> None:
    text = f"student,name\nada,Novák\nbob,Müller\ncy,{name}\n"
    path = written(tmp_path / "x.csv", text, encoding)
    if path.read_bytes() == text.encode("cp1252", "replace"):
        return  # the same letters in both
    with pytest.raises(ValueError, match=rf"x\.csv, line 4: .*'{name}' in .*\"CSV UTF-8\""):
        sheets.read(path)


TURKISH = (
    "Şükrü Şule Ayşe Barış Eşref Tuğba Çağlar Uğur Akdağ Yıldız Kılıçoğlu Avcı Sarı İrem ALİ VELİ "
)
TURKISH += "DENİZ ŞİMŞEK Özyılmaz Şoray Işık"
OTHERS = [
    *((encoding, name) for encoding in ("cp1254", "iso8859-9") for name in TURKISH.split()),
    *(("cp1257", name) for name in ["Šarūnas", "Bērziņš", "Pēteris", "Ąžuolas", "Žukauskas"]),
    *(("iso8859-15", name) for name in ["Šárka", "Žofie", "Aneška"]),
    *(("cp1251", "Иван"), ("koi8-r", "Ольга"), ("iso8859-5", "Ольга"), ("cp1255", "דוד")),
]


@pytest.mark.parametrize(("encoding", "name"), OTHERS)
def test_no_name_of_other_countries_is_read_as_another(
    encoding: str, name: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.csv", f"student,name\nada,{name}\n", encoding)
    with pytest.raises(ValueError, match=rf"x\.csv, line 2: .*'{name}' in .*\"CSV UTF-8\""):
        sheets.read(path)


def test_a_class_in_turkey_is_refused_and_one_in_iceland_or_with_a_czech_is_read(
    tmp_path: Path,
) -> None:
    header, path = "student,name\nada,", tmp_path / "x.csv"
    with pytest.raises(ValueError, match=r"that in Turkey"):
        sheets.read(written(path, header + TURKISH, "cp1254"))
    iceland = "Guðrún Þórðardóttir Sigurður Heiða Viðar Dagný Eyþór Þorsteinn Friðrik Ýr"
    for names in (iceland, "Koç Göçmen Gökçe Novotný Veselý", "Lý Sýkora Starý Hrubý"):
        written(path, header + names, "cp1252")
        assert [row["name"] for _, row in sheets.read(path)[1]] == [names]


WESTERN = [
    "Søren Ørsted Jørgensen Håkon Ødegård Kjær Øystein Ægir Bøe Øien",
    "Hélène Irène Geneviève Agnès Benoît Loïc Anaïs Lætitia Ève Lefèvre",
    "Muñoz Núñez Peña Íñigo Ibáñez",
    "João Simões Conceição Guimarães Inês Maitê",
    "Nicolò Forlì Mosè Niccolò Canù",
    "Guðmundur Þór Þórður Sigurðsson Agða",
    "Åsa Håkan Åkerström Ståhl",
    "un modèle très bien fait, la même tête à côté, où une pièce coûte un nœud plus près",
    "løsningen er også rigtig, men på side to står x² og m³ i stedet for ¼",
    "não são três soluções, você põe a função à frente",
    "¿Qué pasa? ¡Año nuevo! 2ª edición, nº 5, Mª Ángeles «así» © 2026",
]


@pytest.mark.parametrize("words", WESTERN)
def test_what_is_written_in_western_europe_is_read(words: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", f'student,name\nada,"{words}"\n', "cp1252")
    assert [row["name"] for _, row in sheets.read(path)[1]] == [words]


SURE = "Søren Ørsted Håkon Hélène Muñoz João Þór Nicolò Agnès"


@pytest.mark.parametrize("name", SURE.split())
def test_one_name_of_western_europe_is_enough(name: str, tmp_path: Path) -> None:
    test_what_is_written_in_western_europe_is_read(name, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        ",,\nstudent,name\n0012,Ada L\n,,,,\n\n",
        'student,name\n="0012",Ada L\n',
        "\ufeffstudent,\u200bname\n\u200b0012\u2060,\u00a0Ada L \t\n",
    ],
    ids=["empty lines", "zeros kept by a formula", "what is not seen"],
)
def test_what_surrounds_a_cell_is_no_part_of_it(text: str, tmp_path: Path) -> None:
    found = roster.people(written(tmp_path / "x.csv", text))
    assert {key: person.name for key, person in found.items()} == {"0012": "Ada L"}


@pytest.mark.parametrize("text", ["student,name\n", "Student,ID,Section\n Points Possible,,\n"])
def test_a_roster_without_students_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.csv has no student in it"):
        roster.people(written(tmp_path / "x.csv", text))


def test_a_number_to_which_a_program_has_added_a_nought_is_no_id(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.csv, line 2: 1234\.0 is a number"):
        roster.people(written(tmp_path / "x.csv", "student,name\n1234.0,Ada\n"))


def test_what_separates_is_not_counted_within_quotes(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", 'student;points;"mine, a, b, c, d"\nada;3,5;x\n')
    assert sheets.read(path)[1] == [
        (2, {"student": "ada", "points": "3,5", "mine, a, b, c, d": "x"})
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "student,name,name\nada,Ada,Bo\n",
            "x.csv must have one column of each name, not two name",
        ),
        ('student,name\nada,"Ada\nbob,Bob\n', r'line 2: a quote \("\) that begins there'),
        ('student,name\nada,"Ada\nbob,"Bob"\n', r'line 2: a quote \("\) that begins there'),
    ],
)
def test_a_table_that_would_lose_cells_is_refused_with_its_line(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        sheets.read(written(tmp_path / "x.csv", text))


NAMES = "student,assignment,question,points,of,comment,found,answer,marked\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # A decimal comma, in lines that lack their last cells, that have all, that Excel has cut.
        (NAMES + "ada,5_beta,beta-proof,2,5\n", "line 2: ada, beta-proof: its cells may stand"),
        (NAMES + "ada,5_beta,beta-proof,2,5,5,,yes,a0123456789ab\n", "line 2: .* its cells may"),
        (
            "student,question,points,comment\nbo,beta-proof,2\nada,beta-proof,2,5\n",
            "line 3: .*may",
        ),
        ("student,question,points\nada,beta-proof,0_5\n", "between 0 and 5.0, got 0_5"),
        ("student,question,points\nada,beta-proof,-1\n", "between 0 and 5.0, got -1"),
        (NAMES + "ada,1_elbo,beta-proof,2,5,,,,\n", "its assignment must be 5_beta, got 1_elbo"),
        ("student,question,points,points\nada,beta-proof,1,4\n", "not two points"),
        (
            'student,question,points,comment\nada,beta-proof,3,"one\nbob,beta-proof,4,x"\n',
            r'line 2: ada, beta-proof: the next line is within a quote \("\) that has no end',
        ),
        ('student,question,points,comment\nada,beta-proof,3,"one\nbo,beta-proof,4,x\n', "no end"),
    ],
)
def test_marks_of_which_one_would_be_lost_are_refused_with_their_line(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        marks.read(written(tmp_path / "written.csv", text), MASTERS)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        (NAMES + "ada,5_beta,beta-proof,2,5,,yes,a0123456789ab,\n", 2),
        (NAMES + "ada,5_beta,beta-proof,2,5,,yes,a0123456789ab\n", 2),  # as Excel cuts it
        (NAMES.replace(",", ";") + "ada;5_beta;beta-proof;2,5;5\n", 2.5),
        ("student,question,points,comment\nada,beta-proof,2\n", 2),
        ('student,question,points,comment\nada,beta-proof,"2,5","one\ntwo, three"\n', 2.5),
        ("student,question,points,of\nada,beta-proof,2,5\n", 2),
    ],
)
def test_marks_that_are_clear_are_read(text: str, points: float, tmp_path: Path) -> None:
    found = marks.read(written(tmp_path / "written.csv", text), MASTERS)
    assert found["ada", "beta-proof"].points == points


def test_no_cell_that_is_written_is_a_formula_and_reading_gives_it_back(tmp_path: Path) -> None:
    risky = ["=1+1", "+1", "-1", "@x", "=HYPERLINK(1)", "'quoted", "plain", "-"]
    sheets.write(tmp_path / "x.csv", ["a", "=b"], [{"a": text} for text in risky])
    found = rows(tmp_path / "x.csv")
    assert [row["a"][0] for row in found] == ["'"] * 6 + ["p", "-"]
    assert list(found[0]) == ["a", "'=b"]
    assert [sheets.bare(r["a"]) for _, r in sheets.read(tmp_path / "x.csv")[1]] == risky


# ---------------------------------------------------------------------------------------------
# The roster

ROSTERS = {
    "canvas": "Student,ID,SIS User ID,SIS Login ID,Section,Beta (7),Final Score\n"
    "    Points Possible,,,,,25,(read only)\n"
    '"Löwe, Ada",101,S1,al,One,,\n"Student, Test",9,,x,One,,\n',
    "canvas without ids": 'Student,ID,SIS Login ID,Section\n"Löwe, Ada",101,al,One\n',
    "moodle worksheet": "Identifier,Full name,Email address,Status,Grade,Maximum grade,"
    "Last modified (grade)\nParticipant 17,Ada Löwe,al@x.org,,,,-\n",
    "moodle participants": "First name,Last name,Email address,Username\nAda,Löwe,al@x.org,al\n",
    "moodle gradebook": "First name,Last name,ID number,Institution,Department,Email address,"
    "Assignment: Beta (Real),Course total (Real),Last downloaded from this course\n"
    "Ada,Löwe,S1,,,al@x.org,-,-,1790000000\n",
    "moodle gradebook, older": "First name,Surname,ID number,Email address,Course total\n"
    "Ada,Löwe,,al@x.org,-\n",
    "gradescope roster": "First Name,Last Name,SID,Email,Role\nAda,Löwe,S1,al@x.org,Student\n",
    "gradescope grades": "Name,SID,Email,Total Score,Max Points\nAda Löwe,S1,al@x.org,3,25\n",
    "nbgrader students": "id,first_name,last_name,email\nal,Ada,Löwe,al@x.org\n",
    "nbgrader export": "assignment,duedate,timestamp,student_id,last_name,first_name,email\n"
    "5_beta,,,al,Löwe,Ada,al@x.org\n5_beta,,,bo,Byron,Bo,b@x.org\n",
    "own": "student,name,email\nal,Ada Löwe,al@x.org\n",
    "own with a mean below": "student,name,email\nal,Ada Löwe,al@x.org\nAverage,,\n",
    "canvas with another case": "Student,ID,SIS Login ID,Section,Beta\n"
    '  Points possible,,,,25\n"Löwe, Ada",101,al,One,20\nClass average,,,,20\n',
    "gradescope with those who teach": "First Name,Last Name,SID,Email,Role\n"
    "Emmy,Noether,S9,en@x.org,Instructor\nAda,Löwe,S1,al@x.org,Student\nB,C,,bc@x.org,TA\n",
    "moodle with those who teach": "First name,Last name,Email address,Roles\n"
    "Emmy,Noether,en@x.org,Teacher\nAda,Löwe,al@x.org,Student\n",
}


@pytest.mark.parametrize("form", list(ROSTERS))
def test_a_roster_is_what_any_of_the_systems_exports(form: str, tmp_path: Path) -> None:
    path = written(tmp_path / "roster.csv", ROSTERS[form])
    people = list(roster.people(path).values())
    assert people[0].full_name == "Ada Löwe"
    assert people[0].sortable_name == "Löwe, Ada"
    assert len(people) == (2 if form == "nbgrader export" else 1)
    (ada,) = [p for p in people if p.full_name == "Ada Löwe"]
    assert roster.Course(people={p.student: p for p in people}).find("lo\u0308we ADA") == ada


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,age\nada,3\n", "must have the columns of one of these: Canvas: Student, ID"),
        ("student\nada\nada\n", "line 3: ada is there already"),
        ("student,name\n../../x,Ada\n", "line 2: student must be a name or an id"),
        ("", "must have names of columns"),
        ("student,name\nada,Lovelace, Ada\n", "line 2: there are more cells than"),
        ("student,name\n1.00E+05,Ada\n", r"line 2: 1.00E\+05 is a number that a spreadsheet"),
        ("Student,ID,Section\nAda,1.2e+6,A\n", r"line 2: 1.2e\+6 is a number"),
        ("Student,ID,Section\nAda,101,A\nBo,101,A\n", "line 3: 101 is there already"),
        ("Student;ID;Section\nAda;11.0;A\n", "line 2: 11.0 is a number that a spreadsheet"),
        ("Student;ID;SIS Login ID;Section\nAda;1,234;al;A\n", "line 2: 1,234 is a number that"),
        (
            "Student,ID,SIS User ID,SIS Login ID,Section\nA,101,S1,a,A\nB,101,S2,b,A\n",
            "line 3: b has the same canvas 101 as another",
        ),
        ('student,name\nada,"Ada\nbob,Bob"\n', r'line 2: ada: a quote \("\) has no end'),
    ],
)
def test_a_roster_that_cannot_be_is_refused_with_its_line(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        roster.people(written(tmp_path / "roster.csv", text))


PEOPLE = {
    p.student: p
    for p in (
        roster.Person("ada", "Ada Lovelace", email="al@x.org", canvas="101"),
        roster.Person("emmy", "Noether, Emmy", email="en@x.org", canvas="102"),
        roster.Person("max1", "Max Born", email="mb@x.org"),
        roster.Person("max2", "Max Born", email="max@x.org"),
    )
}


@pytest.mark.parametrize(
    ("name", "number", "student"),
    [
        ("ada", "", "ada"),
        ("Ada Lovelace", "", "ada"),
        ("lovelaceada", "", "ada"),
        ("somebody", "102", "emmy"),
        ("EN@X.ORG", "", "emmy"),
        ("en", "", "emmy"),
        ("Noether Emmy", "", "emmy"),
        ("max", "", "max2"),
    ],
)
def test_a_folder_is_known_by_a_students_names_and_numbers(
    name: str, number: str, student: str
) -> None:
    assert roster.Course(people=PEOPLE).find(name, number).student == student


def test_an_exact_id_goes_before_one_that_is_almost_the_same(tmp_path: Path) -> None:
    path = written(tmp_path / "roster.csv", "student,name,email\nab,Ada,ab@x\na-b,Bob,\nAB,Cy,\n")
    found = roster.Course(people=roster.people(path))
    assert [found.find(name).student for name in ("ab", "a-b", "AB")] == ["ab", "a-b", "AB"]
    with pytest.raises(ValueError, match="one of several"):
        found.find("a b")


def test_columns_of_a_roster_that_nobody_reads_may_have_one_name(tmp_path: Path) -> None:
    path = written(tmp_path / "roster.csv", "Student,ID,Section,Quiz,Quiz\nAda,101,A,1,2\n")
    assert list(roster.people(path)) == ["101"]


@pytest.mark.parametrize(
    ("name", "message"), [("Max Born", "one of several.*max1, max2"), ("eve", "not on the roster")]
)
def test_who_may_be_several_or_nobody_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        roster.Course(people=PEOPLE).find(name)


# ---------------------------------------------------------------------------------------------
# course.toml

COURSE = """
zone = "Europe/Berlin"
roster = [{ student = "ada", name = "Ada Lovelace" }, { student = "bob" }]
pseudonyms = "three words here"
late_days = 3
late_days_each = 2
penalty = 0.25

[assignments.1_elbo]
due = 2026-03-02T12:00:00Z
cap = 24
canvas = "The ELBO (4711)"

[assignments.5_beta]
due = 2026-03-09

[extensions.ada]
5_beta = 2026-03-12T12:00:00Z
"""


def test_one_file_says_who_takes_part_and_what_is_due_when(tmp_path: Path) -> None:
    found = roster.load(written(tmp_path / "course.toml", COURSE), MASTERS)
    assert list(found.people) == ["ada", "bob"]
    assert found.due["1_elbo"] == DUE
    # A day is over when it is over, wherever the teacher is.
    berlin = found.due["5_beta"].astimezone(zoneinfo.ZoneInfo("Europe/Berlin"))
    assert berlin.strftime("%d %H:%M:%S %Z") == "09 23:59:59 CET"
    assert found.deadline("ada", "5_beta").astimezone(UTC).day == 12
    assert found.caps == {"1_elbo": 24}
    assert found.columns == {"1_elbo": "The ELBO (4711)"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("late_days = -1", "late_days must be a number of days, got -1"),
        ("late_days = 1.5", "late_days must be a number of days"),
        ("late_days = true", "late_days must be a number of days"),
        ("penalty = 2", "penalty must be a number between 0 and 1, got 2"),
        ("penalty = nan", "penalty must be a number between 0 and 1"),
        ("lateday = 1", "there is no field lateday, but roster"),
        ('roster = "nowhere.csv"', "roster must be a file"),
        ("roster = 3", "roster must be the name of a file, or a list"),
        ('roster = [{ student = "a" }, { student = "a" }]', "student 2: a is there already"),
        ('roster = [{ studnet = "a" }]', "student 1: studnet must be one of student, name"),
        ("[assignments.6_x]", "assignments.6_x must be one of 1_elbo"),
        ("[assignments.5_beta]\ndue = '2026'", "assignments.5_beta.due must be a date such as"),
        ("[assignments.5_beta]\ncap = -1", "assignments.5_beta.cap must be a number"),
        ("[assignments.5_beta]\nduee = 1", "there is no field assignments.5_beta.duee"),
        ("assignments = 3", r"assignments must be a table, \[assignments.NAME\]"),
        ("[extensions.ada]\n6_x = 2026-01-01", "extensions.ada.6_x must be .* got '6_x'"),
        (
            "zone = 'UTC'\n[assignments.5_beta]\ndue = 2026-03-02\n"
            "[extensions.ada]\n5_beta = 2026-02-03",
            "extensions.ada.5_beta must be later than 2026-03-02",
        ),
        ('roster = [{student = "b"}]\n[extensions.ada]', "extensions.ada must be one of b"),
        ("x = \n", "line 1, column 5"),
        ("pseudonyms = true", "pseudonyms must be a text"),
        ('pseudonyms = " "', "pseudonyms must be a text, got ' '"),
        (
            '[assignments.1_elbo]\ncanvas = "A (1)"\n[assignments.5_beta]\ncanvas = "a (1) "',
            r"assignments.5_beta.canvas must be its own, 'a \(1\)' is that of 1_elbo",
        ),
        (
            f'[assignments.1_elbo]\ncanvas = "{BETA.title}"',
            "assignments.5_beta.canvas must be its own, '.*' is that of 1_elbo",
        ),
        ('[assignments.1_elbo]\ncanvas = "ID"', "must be its own, 'ID' is a column"),
    ],
)
def test_a_course_that_cannot_be_is_refused_with_its_line_or_field(
    line: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        roster.load(written(tmp_path / "course.toml", line), MASTERS)


def after(days: float, due: datetime.datetime = DUE) -> float:
    """Seconds since 1970, some days after a date."""
    return due.timestamp() + days * 86_400


def test_free_days_go_to_what_was_due_first_and_each_further_day_costs_its_part() -> None:
    later = DUE + datetime.timedelta(days=7)
    one = roster.Course(due={"a": DUE, "b": later}, late_days=3, late_days_each=2, penalty=0.25)
    late = one.late("ada", {"b": after(1.5, later), "a": after(2.5)})
    assert late["a"] == roster.Late(days=3, free=2, part=0.25)
    assert late["b"] == roster.Late(days=2, free=1, part=0.25)
    assert one.late("ada", {"b": after(1.5, later)}, spent=3)["b"].part == 0.5
    assert one.late("ada", {"a": after(100)})["a"].part == 1
    assert one.late("ada", {"a": after(0), "b": after(-3, later)}) == {
        "a": roster.Late(),
        "b": roster.Late(),
    }


@pytest.mark.parametrize(
    ("due", "handed_in", "days"),
    [
        # A day before summer time begins has 24 hours to the clock, and the day itself has 23.
        ("2026-03-28T23:59:00", "2026-03-29T23:58:00", 1),
        ("2026-03-28T23:59:00", "2026-03-30T00:30:00", 2),
        # The day on which it ends has 25.
        ("2026-10-24T23:59:00", "2026-10-25T23:58:00", 1),
        ("2026-10-24T23:59:00", "2026-10-26T00:00:00", 2),
        ("2026-10-24T23:59:00", "2026-10-31T23:58:00", 7),
        # Nobody is a day late for what a clock does not show, or a zip does not know.
        ("2026-03-02", "2026-03-02T23:59:59.400000", 0),
        ("2026-03-02", "2026-03-03T00:00:00", 0),
        ("2026-03-02T12:00:00", "2026-03-02T12:00:00.400000", 0),
        ("2026-03-02T12:00:00", "2026-03-02T12:00:03", 1),
        ("2026-03-02T12:00:00", "2026-03-03T12:00:00.400000", 1),
        ("2026-03-02T12:00:00", "2026-03-03T12:01:00", 2),
        ("2026-03-02T12:00:00", "9990-03-03T12:01:00", 2908793),
    ],
)
def test_a_day_late_ends_when_the_clock_shows_the_same_again(
    due: str, handed_in: str, days: int, tmp_path: Path
) -> None:
    text = f'zone = "Europe/Berlin"\n[assignments.5_beta]\ndue = {due}\n'
    found = roster.load(written(tmp_path / "course.toml", text), MASTERS)
    when = datetime.datetime.fromisoformat(handed_in).replace(tzinfo=found.zone)
    assert found.late("ada", {"5_beta": when.timestamp()})["5_beta"].days == days


def test_a_date_without_a_zone_is_refused_where_the_clock_has_none_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "course.toml", "[assignments.5_beta]\ndue = 2026-03-02\n")
    monkeypatch.setattr(time, "tzname", ("UTC", "UTC"))  # as in a container
    with pytest.raises(ValueError, match=r'5_beta.due must say its zone.*zone = "Europe/Berlin"'):
        roster.load(path, MASTERS)
    monkeypatch.setattr(time, "tzname", ("CET", "CEST"))
    assert roster.load(path, MASTERS).due["5_beta"].day == 2
    path = written(tmp_path / "course.toml", 'zone = "Mars/Base"\n')
    with pytest.raises(ValueError, match="zone must be a zone such as Europe/Berlin"):
        roster.load(path, MASTERS)


# ---------------------------------------------------------------------------------------------
# A class, graded without running anything

Grade = Callable[..., dict[tuple[str, str], dict[str, str]]]


@pytest.fixture
def grade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grade:
    """Grade a folder whose notebooks all pass, and return the lines of grades.csv."""

    def right(plan: sandbox.Plan) -> sandbox.Outcome:
        return sandbox.Outcome(dict.fromkeys(plan.exam.tests, ""))

    monkeypatch.setattr(sandbox, "run", right)

    def run(
        text: str = "", new: marks.Marks | None = None, **options: Any
    ) -> dict[tuple[str, str], dict[str, str]]:
        path = written(tmp_path / "course.toml", 'zone = "UTC"\n' + text)
        settings = roster.load(path, MASTERS)
        output = tmp_path / "grades"
        course.grade_folder(tmp_path / "in", output, 0, new or {}, settings, **options)
        return {(r["student"], r["assignment"]): r for r in rows(output / "grades.csv")}

    return run


def hand_in(path: Path, name: str = "5_beta", time: float | None = None) -> None:
    """Put a master where a student's notebook would lie."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(MASTERS[name].notebook, path)
    if time is not None:
        os.utime(path, (time, time))


ROSTER = (
    'roster = [{ student = "ada", name = "Ada Lovelace", sid = "S1", email = "al@x.org" },\n'
    '{ student = "bob", name = "=Bob" }]\n'
)
SET = "[assignments.5_beta]\ndue = 2026-03-02T12:00:00Z\n"


def test_an_extension_of_nobody_is_said_where_no_roster_could_refuse_it(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    grade("[extensions.ada]\n5_beta = 2126-01-01\n[extensions.adda]\n5_beta = 2126-01-01\n")
    said = capsys.readouterr().out
    assert re.findall("NOT USED: the extension of (\\w+)", said) == ["adda"]


def test_what_was_not_set_or_is_not_over_gives_no_line(tmp_path: Path, grade: Grade) -> None:
    hand_in(tmp_path / "in" / "Ada Lovelace" / "5_beta.ipynb", time=after(-1))
    found = grade(ROSTER + SET + "[assignments.1_elbo]\ndue = 9999-01-01\n")
    assert list(found) == [("ada", "5_beta"), ("bob", "5_beta")]
    assert found["bob", "5_beta"]["status"] == "missing"
    found = grade(ROSTER + "[assignments.5_beta]\ndue = 9999-01-01\n")
    assert list(found) == [("ada", "5_beta")]


def test_who_is_early_gives_nobody_a_zero_where_other_assignments_have_dates(
    tmp_path: Path, grade: Grade
) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb", time=after(-1))
    hand_in(tmp_path / "in" / "ada" / "1_elbo.ipynb", "1_elbo")
    found = grade(ROSTER + SET)
    assert sorted(found) == [("ada", "1_elbo"), ("ada", "5_beta"), ("bob", "5_beta")]
    canvas = rows(tmp_path / "grades" / "exchange" / "canvas.csv")
    assert [row[MASTERS["1_elbo"].title] for row in canvas] == [OF, "", ""]


def test_what_lay_in_another_folder_keeps_its_line(tmp_path: Path, grade: Grade) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb", time=after(-1))
    before = grade(ROSTER + SET)
    (tmp_path / "in" / "ada" / "5_beta.ipynb").unlink()
    hand_in(tmp_path / "in" / "ada" / "1_elbo.ipynb", "1_elbo")
    found = grade(ROSTER + SET)
    assert found["ada", "5_beta"] == before["ada", "5_beta"]
    assert ("ada", "1_elbo") in found


def hand_in_untouched(path: Path, name: str) -> None:
    """Put a notebook as students are given it where one's own would lie."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(masters.release(MASTERS[name]), path)


def test_a_notebook_as_it_was_handed_out_sets_nothing_and_takes_no_place(
    tmp_path: Path, grade: Grade
) -> None:
    place = tmp_path / "in"
    hand_in(place / "ada" / "5_beta.ipynb")
    hand_in_untouched(place / "bob" / "5_beta.ipynb", "5_beta")
    hand_in_untouched(place / "bob" / "1_elbo.ipynb", "1_elbo")
    before = grade()
    assert sorted(before) == [("ada", "5_beta"), ("bob", "5_beta")]
    assert [row["filled"] == "0" for row in before.values()] == [False, True]
    # The next week, with copies of the last one's.
    hand_in_untouched(place / "ada" / "5_beta.ipynb", "5_beta")
    hand_in(place / "ada" / "1_elbo.ipynb", "1_elbo")
    points = {("bob", question): Mark(2.0, "orally") for question in BETA.written}
    after = grade("", points)
    assert after["ada", "5_beta"] == before["ada", "5_beta"]
    assert after["bob", "5_beta"]["written"] == f"{2 * len(BETA.written)}"
    assert sorted(after) == [(s, a) for s in ("ada", "bob") for a in ("1_elbo", "5_beta")]


def test_a_roster_gives_who_has_no_folder_a_line_and_names_who_is_not_on_it(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "in" / "eve" / "5_beta.ipynb")
    found = grade(ROSTER + SET)
    assert {row["status"] for row in found.values()} == {"missing"}
    assert "NOT GRADED: eve is not on the roster" in capsys.readouterr().out


def test_the_grades_of_another_course_are_not_mixed_with_these(
    tmp_path: Path, grade: Grade
) -> None:
    hand_in(tmp_path / "in" / "emmy" / "5_beta.ipynb")
    grade("roster = [{ student = 'emmy' }]\n")
    (tmp_path / "in").rename(tmp_path / "another")
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    before = (tmp_path / "grades" / "grades.csv").read_bytes()
    with pytest.raises(ValueError, match=r"grades of emmy and of nobody on.* GRADES=DIR"):
        grade(ROSTER)
    assert (tmp_path / "grades" / "grades.csv").read_bytes() == before
    # Who has left the roster while others stay is no other course.
    both = "roster = [{ student = 'emmy' }, { student = 'ada' }]\n"
    assert {student for student, _ in grade(both)} == {"emmy", "ada"}
    assert {student for student, _ in grade(ROSTER)} == {"emmy", "ada", "bob"}


def test_late_days_penalty_and_cap_are_applied_and_shown(tmp_path: Path, grade: Grade) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb", time=after(1.5))
    written_points = {(s, q): Mark(p) for s in ("ada",) for q, p in BETA.written.items()}
    of = sum(BETA.tests.values()) + sum(BETA.written.values())
    line = grade(ROSTER + "late_days = 1\npenalty = 0.1\n" + SET, written_points)["ada", "5_beta"]
    assert (line["days_late"], line["late_days_used"]) == ("2", "1")
    assert float(line["total"]) == pytest.approx(0.9 * of)
    assert float(line["taken_off"]) == pytest.approx(0.1 * of)
    page = tmp_path / "grades" / "feedback" / "ada" / "5_beta.html"
    assert "2 days late; 1 of them were free" in page.read_text(encoding="utf-8")
    assert "10 per cent for being late" in page.read_text(encoding="utf-8")
    for cap in (20, 0):
        line = grade(ROSTER + SET + f"cap = {cap}\n", written_points)["ada", "5_beta"]
        assert (float(line["total"]), float(line["taken_off"])) == (cap, of - cap)
        assert "(more do not count)" in page.read_text(encoding="utf-8")


PDF = b"%PDF-1.4"


def test_paper_can_be_late_as_well(tmp_path: Path, grade: Grade) -> None:
    def paper(name: str, time: float) -> None:
        path = tmp_path / "in" / "ada" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PDF)
        os.utime(path, (time, time))

    rules = ROSTER + "penalty = 0.1\n" + SET
    paper("one.pdf", after(1.5))
    paper("two.pdf", after(2.5))
    # They may be of any assignment: the first counts.
    assert grade(rules)["ada", "5_beta"]["days_late"] == "2"
    paper("5_beta proof.pdf", after(0.5))
    paper("5_beta figure.pdf", after(3.5))
    assert grade(rules)["ada", "5_beta"]["days_late"] == "4"
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb", time=after(-1))
    assert grade(rules)["ada", "5_beta"]["days_late"] == "4"
    paper("5_beta figure.pdf", after(-0.5))
    paper("5_beta proof.pdf", after(-0.5))
    assert grade(rules)["ada", "5_beta"]["days_late"] == ""


def test_a_file_from_the_future_is_late_by_no_known_time(tmp_path: Path, grade: Grade) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb", time=253_370_764_800.0)
    line = grade(ROSTER + "penalty = 0.5\n" + SET)["ada", "5_beta"]
    assert (line["days_late"], line["handed_in"]) == ("", "not known")


def test_two_of_one_name_are_two_students_and_on_a_roster_with_one_neither(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "in"
    for number in (101, 102):
        hand_in(place / f"leewei_{number}_9_5_beta.ipynb")
        hand_in(place / f"Anna Schmidt_{number}_assignsubmission_file_" / "5_beta.ipynb")
    hand_in(place / "bob_7_9_5_beta.ipynb")
    hand_in(place / "bob_7_8_1_elbo.ipynb", "1_elbo")
    names = ["Anna Schmidt (101)", "Anna Schmidt (102)", "bob", "leewei (101)", "leewei (102)"]
    assert list(submissions.collect(place)[0]) == names
    assert len(grade()) == 2 * len(names)
    found = grade('roster = [{ student = "leewei" }, { student = "bob" }]\n' + SET)
    assert found["leewei", "5_beta"]["status"] == "missing"
    assert found["bob", "5_beta"]["status"] == "graded"
    said = capsys.readouterr().out
    assert "NOT GRADED: leewei (101), leewei (102): only one of them can be leewei" in said
    table = "Student,ID,SIS User ID,SIS Login ID,Section\nLee Wei,101,,,\nLee Wei,102,,,\n"
    written(tmp_path / "roster.csv", table)
    shutil.rmtree(tmp_path / "grades")
    found = grade('roster = "roster.csv"\n' + SET)
    assert [found[n, "5_beta"]["status"] for n in ("101", "102")] == ["graded", "graded"]


def test_the_time_of_a_download_is_not_that_of_handing_in(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "in" / "lovelaceada_101_5_5_beta.ipynb", time=after(30))
    hand_in(tmp_path / "in" / "bob_LATE_102_6_5_beta.ipynb", time=after(30))
    found = grade(ROSTER + "penalty = 0.5\n" + SET)
    assert {row["days_late"] for row in found.values()} == {""}
    assert found["ada", "5_beta"]["handed_in"] == "not known"
    assert found["bob", "5_beta"]["handed_in"] == "late, not known when"
    assert "NOT KNOWN when 2 of 5_beta were handed in" in capsys.readouterr().out
    table = rows(tmp_path / "grades" / "exchange" / "gradescope-5_beta.csv")
    assert {row["Submission Time"] for row in table} == {""}


@pytest.mark.parametrize(
    "day", ["{0:%A}, {1} {0:%B %Y, %I:%M %p}", "{0:%A, %B} {1}, {0:%Y, %I:%M %p}"]
)
def test_moodles_worksheet_says_when_it_was_handed_in(
    tmp_path: Path, grade: Grade, day: str
) -> None:
    for name, number in (("Ada Lovelace", 17), ("=Bob", 18)):
        folder = f"{name}_{number}_assignsubmission_file_"
        hand_in(tmp_path / "in" / folder / "5_beta.ipynb", time=after(30))
    due = datetime.datetime.fromtimestamp(after(1.5))
    when = day.format(due, due.day)
    written(
        tmp_path / "sheet.csv",
        "Identifier,Full name,Grade,Last modified (submission),Last modified (grade)\n"
        f'Participant 17,Ada Lovelace,,"{when}",-\nParticipant 18,=Bob,,-,-\n',
    )
    found = grade(ROSTER + SET + 'moodle = "sheet.csv"\n')
    assert found["ada", "5_beta"]["days_late"] == "2"
    assert found["bob", "5_beta"]["handed_in"] == "not known"


def test_a_time_within_a_students_own_zip_says_nothing_of_being_late(tmp_path: Path) -> None:
    (tmp_path / "in" / "ada").mkdir(parents=True)
    path = tmp_path / "in" / "ada" / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        early = zipfile.ZipInfo("5_beta.ipynb", (1990, 1, 1, 0, 0, 0))
        archive.writestr(early, nbformat.writes(BETA.notebook))
    os.utime(path, (after(3), after(3)))
    (file,) = submissions.collect(tmp_path / "in")[0]["ada"].files
    assert file.handed_in == after(3)


def test_pseudonyms_stand_in_all_tables_but_the_one_with_the_names(
    tmp_path: Path, grade: Grade
) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb", time=after(-1))
    grade('pseudonyms = "some words"\n' + ROSTER + SET)
    output = tmp_path / "grades"
    names = {r["name"]: r["student"] for r in rows(output / "names.csv")}
    assert names["ada"].startswith("student-")
    for path in output.rglob("*"):
        if path.is_file() and "mathjax" not in path.parts and path.name != "names.csv":
            told = "ada" in path.name or "Lovelace" in path.read_text("utf-8", "replace")
            assert told == (path.parent.name == "exchange")


def test_who_has_handed_in_paper_only_gets_the_points_for_it(tmp_path: Path, grade: Grade) -> None:
    paper = tmp_path / "in" / "Ada Lovelace_17_assignsubmission_file_" / "proof.pdf"
    paper.parent.mkdir(parents=True)
    paper.write_bytes(b"%PDF-1.4")
    points = {("ada", q): Mark(p) for q, p in BETA.written.items()}
    for given, total in (({}, ""), (points, f"{sum(BETA.written.values()):g}")):
        line = grade(ROSTER + SET, given)["ada", "5_beta"]
        assert line["status"] == "no notebook, but proof.pdf"
        assert (line["automatic"], line["total"]) == ("0", total)
    paper.unlink()
    assert grade(ROSTER + SET)["ada", "5_beta"]["total"] == total


# ---------------------------------------------------------------------------------------------
# The grader itself fails


def test_who_could_not_be_graded_has_no_points_rather_than_none_and_comes_again(
    tmp_path: Path, grade: Grade, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    hand_in(tmp_path / "in" / "bob" / "5_beta.ipynb")
    right = sandbox.run
    failed: list[sandbox.Plan] = []

    def lost(plan: sandbox.Plan) -> sandbox.Outcome:
        if not failed:
            failed.append(plan)
            raise sandbox.Lost("the sandbox has ended")
        return right(plan)

    monkeypatch.setattr(sandbox, "run", lost)
    points = {(s, q): Mark(p) for s in ("ada", "bob") for q, p in BETA.written.items()}
    cell = BETA.notebook.cells[-1]
    monkeypatch.setitem(cell, "source", cell.source + "\n")
    found = grade("", points)
    line = found["ada", "5_beta"]
    assert line["status"] == "not graded: sandbox.Lost: the sandbox has ended"
    assert (line["automatic"], line["total"]) == ("", "")
    assert found["bob", "5_beta"]["automatic"] in ("25", "")
    assert "NOT GRADED: ada, 5_beta: grade again" in capsys.readouterr().out
    assert {r["student"] for r in rows(tmp_path / "grades" / "tests.csv")} <= {"bob"}
    (ada,) = [
        row
        for row in rows(tmp_path / "grades" / "exchange" / "canvas.csv")
        if row["Student"] == "ada"
    ]
    assert ada[BETA.title] == ""
    assert grade()["ada", "5_beta"]["total"] == OF


def test_when_all_workers_are_lost_what_was_graded_is_in_the_tables(
    tmp_path: Path, grade: Grade, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")

    def lost(*_: Any, **__: Any) -> Iterator[Any]:
        raise course.jobs.WorkersLost("workers died 3 times")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(course.jobs, "each", lost)
        line = grade()["ada", "5_beta"]
    assert (line["status"], line["automatic"]) == ("not graded: workers died 3 times", "")
    assert grade()["ada", "5_beta"]["automatic"] == "25"


def test_the_sandboxes_end_is_no_submissions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = sandbox.Plan([], BETA.exam, 0)
    passed = sandbox.Outcome(dict.fromkeys(BETA.exam.tests, ""))
    answers: list[Any] = [sandbox.Lost("the sandbox has ended"), passed]

    def once(*_: Any) -> sandbox.Outcome:
        answer = answers.pop(0)
        if isinstance(answer, sandbox.Lost):
            raise answer
        return answer

    monkeypatch.setattr(sandbox, "_once", once)
    assert sandbox.run(plan).n_failed == 0
    answers += [sandbox.Lost("first"), sandbox.Lost("second")]
    with pytest.raises(sandbox.Lost, match="second"):
        sandbox.run(plan)


def test_a_judge_without_memory_says_nothing_of_a_submission() -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    exam = judge.Exam((), ("def f(): ...",), {"one": "f()"})
    with pytest.raises(MemoryError):
        exam.judge("one", 0, {"f": full})


def test_a_change_of_the_package_a_library_or_a_limit_is_graded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "module.py", "")
    written(tmp_path / "weights" / "x.json", "{}")
    monkeypatch.setattr(sandbox, "PACKAGE", tmp_path)
    hash_, sandbox_limits = course._grader.__wrapped__, sandbox.Limits
    seen = [hash_()]
    written(tmp_path / "module.py", "a = 1")
    seen.append(hash_())
    written(tmp_path / "weights" / "x.json", "{ }")
    seen.append(hash_())
    monkeypatch.setattr(sandbox, "Limits", lambda: sandbox_limits(processor=7.5))
    seen.append(hash_())
    monkeypatch.setattr(sandbox, "lacks", lambda: ["everything"])
    seen.append(hash_())
    installed = [*importlib.metadata.distributions()]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: installed[1:])
    seen.append(hash_())
    assert hash_() == seen[-1]
    assert len(set(seen)) == len(seen)


def test_what_a_system_lacks_is_said_line_by_line_before_anything_is_graded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    monkeypatch.setattr(sandbox, "_start", lambda: None)
    monkeypatch.setattr(sandbox, "lacks", sandbox.lacks.__wrapped__)
    monkeypatch.setattr(sandbox, "run", lambda plan: print("GRADING") or sandbox.Outcome({}))
    guide = (ROOT / "chapters" / "instructors_guide.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (to|calls) (.+?) \|.+\| yes \|$", guide, re.M)
    assert len(table) >= 7
    arguments = ["grade", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--jobs", "1"]
    monkeypatch.setattr(course.jobs, "each", lambda *_, **__: print("GRADING") or [])
    course.main(arguments)
    said = capsys.readouterr().out
    before, _, after_ = said.partition("GRADING")
    assert after_
    for first, what in table:
        words = what.split(",")[0] if first == "to" else "calls of the kernel"
        assert re.search(f"NOT PROTECTED: submissions can .*{re.escape(words)}", before), words


# ---------------------------------------------------------------------------------------------
# What is no more


def test_nothing_old_stays_when_something_is_graded_again(
    tmp_path: Path, grade: Grade, monkeypatch: pytest.MonkeyPatch
) -> None:
    def own(student: str, code: str) -> None:
        notebook = masters.release(BETA)
        (cell,) = [c for c in notebook.cells if masters.grade_id(c) == "beta-rate"]
        cell.source = code
        path = tmp_path / "in" / student / "5_beta.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)

    for student, code in (("ada", CUNNING), ("bob", RENAMED), ("cy", "def rate(m, v): return 0")):
        own(student, code)
    output = tmp_path / "grades"
    page = output / "proofs" / "5_beta.html"
    grade()
    (pair,) = rows(output / "similar.csv")
    assert (pair["student"], pair["other"]) == ("ada", "bob")
    tests = output / "tests.csv"
    with tests.open("a", encoding="utf-8") as file:
        file.write("ada,5_beta,beta-of-last-year,1,1,\nbob,5_beta,beta-of-last-year,1,1,\n")
    # One student is graded again, with other code, marks and words.
    own("ada", "def rate(m, v): return 1")
    assert '<input inputmode="decimal" size="4" value="4">' not in page.read_text("utf-8")
    (question, *_) = BETA.written
    new = {("ada", question): Mark(4.0, "new"), ("bob", question): Mark(3.5)}
    grade("", new, only_student="ada")
    assert rows(output / "similar.csv") == []
    old = [r["student"] for r in rows(tests) if r["test"] == "beta-of-last-year"]
    assert old == ["bob"]
    text = page.read_text(encoding="utf-8")
    assert all(f'data-student="{name}"' in text for name in ("ada", "bob", "cy"))
    assert 'value="4"' in text
    assert 'value="3.5"' in text
    assert "new" in text
    # Also where others lie in another folder.
    (tmp_path / "in").rename(tmp_path / "week 1")
    own("dan", CUNNING)
    grade()
    assert [(r["student"], r["other"]) for r in rows(output / "similar.csv")] == [("bob", "dan")]
    text = page.read_text(encoding="utf-8")
    assert all(f'data-student="{name}"' in text for name in ("ada", "bob", "cy", "dan"))


def test_all_that_is_kept_of_a_student_can_be_removed(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    for student in ("ada", "bob"):
        hand_in(tmp_path / "in" / student / "5_beta.ipynb")
        (tmp_path / "in" / student / "5_beta.pdf").write_bytes(PDF + student.encode())
    (tmp_path / "in" / "ada" / "5_beta.ipynb").write_text(
        nbformat.writes(BETA.notebook).replace("import numpy", "import numpy "), encoding="utf-8"
    )
    hand_in(tmp_path / "in" / "ada_7_8_1_elbo.ipynb", "1_elbo")
    (question, *_) = BETA.written
    both = "roster = [{ student = 'ada', name = 'Ada L' }, { student = 'bob' }]\n" + SET
    grade(both, {("ada", question): Mark(1.0, "of ada"), ("bob", question): Mark(2.0)})
    grade(both, {("ada", question): Mark(3.0)})  # so that the table is kept as it was

    def left(name: str) -> list[str]:
        """The files in which a name stands, or that bear it."""
        return [
            str(path.relative_to(tmp_path))
            for path in sorted(tmp_path.rglob("*"))
            if "mathjax" not in path.parts
            and path.name != "course.toml"
            and (
                re.search(rf"\b{name}\b|Ada L", str(path.relative_to(tmp_path)))
                or (path.is_file() and re.search(rf"\b{name}\b".encode(), path.read_bytes()))
            )
        ]

    before = len(list((tmp_path / "grades" / "outcomes").iterdir()))
    assert len(left("ada")) > 12
    arguments = ["forget", "ada", "--output", str(tmp_path / "grades")]
    arguments += ["--submissions", str(tmp_path / "in")]
    with pytest.raises(SystemExit):
        course.main(arguments)
    assert "STUDENT ada is on the roster: take them off it first" in capsys.readouterr().err
    written(tmp_path / "course.toml", "roster = [{ student = 'bob' }]\nzone = 'UTC'\n" + SET)
    assert course.main(arguments) == 0
    assert "feedback/ada" in capsys.readouterr().out
    assert left("ada") == []
    assert len(list((tmp_path / "grades" / "outcomes").iterdir())) == before - 1
    assert len(list((tmp_path / "grades" / "proofs" / "files").iterdir())) == 1
    assert len(left("bob")) > 12
    assert typed(tmp_path)["bob", question] == ("2", "")
    # Nothing comes back with the next run.
    assert {s for s, _ in grade("roster = [{ student = 'bob' }]\n" + SET)} == {"bob"}
    assert left("ada") == []
    with pytest.raises(SystemExit):
        course.main(arguments)
    assert "STUDENT must be one of those in" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------
# What must not stop a class


def zipped(kind: int, *contents: bytes) -> bytes:
    """A zip with some files in it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", kind) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.ipynb", content)
    return data.getvalue()


class MacInfo(zipfile.ZipInfo):
    """A name in UTF-8 of which it is not said that it is, as macOS writes them."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode(), self.flag_bits & ~0x800


MAC = [
    "week 1/.DS_Store",
    "__MACOSX/._week 1",
    "week 1/Lo\u0308we, Ada/5_beta.ipynb",
    "__MACOSX/week 1/Lo\u0308we, Ada/._5_beta.ipynb",
    "week 1/bob/mine/5_beta.ipynb",
    "week 1/cy/",
]


@pytest.mark.parametrize(
    ("name", "files", "students"),
    [
        (
            "week 1.zip",
            MAC,
            {"Löwe, Ada": ["5_beta.ipynb"], "bob": ["mine/5_beta.ipynb"], "cy": []},
        ),
        ("x.zip", MAC, {"Löwe, Ada": ["5_beta.ipynb"], "bob": ["mine/5_beta.ipynb"], "cy": []}),
        (
            "ada.zip",
            ["ada/5_beta.ipynb", "__MACOSX/ada/._5_beta.ipynb"],
            {"ada": ["5_beta.ipynb"]},
        ),
        ("week.zip", ["week/bob/5_beta.ipynb"], {"bob": ["5_beta.ipynb"]}),
        ("x.zip", ["bob/mine/x.ipynb"], {"bob": ["mine/x.ipynb"]}),
        (
            "x.zip",
            ["ada/1_elbo/1_elbo.ipynb", "ada/5_beta/x.ipynb"],
            {"ada": ["1_elbo/1_elbo.ipynb", "5_beta/x.ipynb"]},
        ),
        ("x.zip", ["all/hopper_1_2_x.ipynb", "all/noether_3_4_x.ipynb"], None),
        ("x.zip", ["all/Ada L_1_assignsubmission_file_/x.ipynb"], {"Ada L": ["x.ipynb"]}),
        ("x.zip", ["eve/a/x.ipynb", "eve/b/x.ipynb"], {"eve": ["a/x.ipynb", "b/x.ipynb"]}),
        (
            "x.zip",
            ["1_elbo/ada/x.ipynb", "5_Beta/ada/x.ipynb", "5_Beta/bob_1_2_x.ipynb"],
            {"ada": ["1_elbo/x.ipynb", "5_Beta/x.ipynb"], "bob": ["5_Beta/x.ipynb"]},
        ),
        ("x.zip", ["week/eve/x.ipynb", "week/new.ipynb"], {"eve": ["x.ipynb"]}),
        (
            "x.zip",
            ["eve/x.ipynb", "1_elbo/ada/x.ipynb", "1_elbo/new.ipynb"],
            {"ada": ["1_elbo/x.ipynb"], "eve": ["x.ipynb"]},
        ),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_around_those_of_the_students_is_no_student(
    name: str, files: list[str], students: Any, packed: bool, tmp_path: Path
) -> None:
    place = tmp_path / (name if packed else name.removesuffix(".zip"))
    if packed:
        with zipfile.ZipFile(place, "w") as archive:
            for file in files:
                archive.writestr(MacInfo(file), b"")
    for file in [] if packed else files:
        path = place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if file.endswith("/") else path.write_bytes(b"")
    found, strays = submissions.collect(place, None, lambda who: who == "eve", MASTERS)
    students = students or {"hopper": ["x.ipynb"], "noether": ["x.ipynb"]}
    assert {n: sorted(f.name for f in s.files) for n, s in found.items()} == students
    assert strays == (["new.ipynb lies in no student's folder"] if "new" in files[-1] else [])
    for student in [] if packed else found.values():
        assert all((place / inner).exists() for inner in student.places)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("whole", [False, True])
def test_a_damaged_zip_is_refused_by_name_and_the_others_are_read(
    kind: int, whole: bool, tmp_path: Path
) -> None:
    hand_in(tmp_path / "in" / "bob" / "5_beta.ipynb")
    data = bytearray(zipped(kind, os.urandom(5_000)))
    data[40:60] = bytes(255 - byte for byte in data[40:60])
    path = tmp_path / "in" / "ada" / "all.zip"
    path.parent.mkdir()
    path.write_bytes(data)
    place = tmp_path / "in"
    if whole:  # the zip of a class with damage within
        place = tmp_path / "class.zip"
        place.write_bytes(bytes(data).replace(b"0.ipynb", b"a/x.pdf"))
    found, _ = submissions.collect(place)
    (said,) = found["a" if whole else "ada"].refused
    assert "cannot be read" in said
    assert whole or len(found["bob"].files) == 1


@pytest.mark.parametrize(
    "name",
    [" ", "..", ".._12_34_5_beta.ipynb", "._1_assignsubmission_file_", "a" * 201, "é" * 101],
)
def test_a_name_that_can_be_no_folder_is_refused_and_the_others_are_graded(
    name: str, tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "ada.ipynb")
    with zipfile.ZipFile(tmp_path / "in", "w") as archive:
        for path in (name if name.endswith(".ipynb") else f"{name}/5_beta.ipynb", "ada/x.ipynb"):
            archive.write(tmp_path / "ada.ipynb", path)
    assert list(grade()) == [("ada", "5_beta")]
    assert [path.name for path in (tmp_path / "grades" / "feedback").iterdir()] == ["ada"]
    assert not list((tmp_path / "grades").glob("5_beta*"))
    assert "NOT GRADED" in capsys.readouterr().out


def test_a_zip_with_nothing_in_it_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    with zipfile.ZipFile(tmp_path / "ada" / "a.zip", "w") as archive:
        archive.writestr("__MACOSX/._5_beta.ipynb", "")
    students, _ = submissions.collect(tmp_path)
    assert students["ada"].refused == ["a.zip is no zip that can be read: there is nothing in it"]


def test_of_very_many_notebooks_the_newest_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for when in (3, 1, 2):
        hand_in(tmp_path / "ada" / f"{when}.ipynb", time=when)
    monkeypatch.setattr(course, "_MOST_READ", 2)
    student = submissions.collect(tmp_path)[0]["ada"]
    found, _ = course.by_assignment(student, MASTERS)
    assert [file.name for file, _ in found["5_beta"]] == ["3.ipynb", "2.ipynb"]
    assert student.refused == ["1 older notebooks, as more than 2 are here"]


def test_a_zip_that_grows_without_end_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "in" / "ada" / "bomb.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(zipped(zipfile.ZIP_DEFLATED, *[bytes(19 * 2**20)] * 12))
    ada = submissions.collect(tmp_path / "in")[0]["ada"]
    assert "bomb.zip is no zip that can be read: it holds more than" in ada.refused[0]
    assert len(ada.files) < 12


def many(cells: list[Any]) -> submissions.File:
    """The master with more cells behind the place of its proof."""
    notebook = copy.deepcopy(BETA.notebook)
    place = next(i for i, c in enumerate(notebook.cells) if masters.grade_id(c) == PROOF)
    notebook.cells[place + 1 : place + 1] = cells
    return submissions.File("x.ipynb", json.dumps(notebook).encode(), 0.0)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("kind", "source", "n"),
    [
        ("code", "x = 1\n" * 2_000, 20),
        ("code", "%ls\n" * 100 + "x = 1\n" * 10_000, 1),
        ("code", " " * 100_000 + "\n", 1),
        ("code", "a, " * 50_000, 1),
        ("markdown", "word " * 2_000, 900),
    ],
)
def test_a_large_notebook_is_sorted_in_time_for_all_assignments(
    kind: str, source: str, n: int
) -> None:
    new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    notebook = submissions.read(many([new(f"{source}# {k}") for k in range(n)]))
    start = time.process_time()
    for assignment in MASTERS.values():
        submissions.part(notebook, assignment)
    assert time.process_time() - start < 10  # some took minutes


@pytest.mark.parametrize(
    ("cell", "n", "message"),
    [
        (nbformat.v4.new_code_cell("x = 1"), 1_000, "more than 1000 cells"),
        (nbformat.v4.new_code_cell("x = 1\n" * 100_000), 2, "characters of code"),
        (
            nbformat.v4.new_code_cell("", metadata={"x": [{}] * 60_000}),
            2,
            "more than 100000 objects",
        ),
    ],
)
def test_a_notebook_that_takes_long_to_read_is_refused_with_the_reason(
    cell: Any, n: int, message: str
) -> None:
    with pytest.raises(ValueError, match=f"x.ipynb is no notebook that can be read: .*{message}"):
        submissions.read(many([cell] * n))


@pytest.mark.parametrize("start", [r"\(", r"\[", "![", "*a_"])
def test_an_answer_of_any_length_is_shown_in_time_with_a_word_on_the_rest(start: str) -> None:
    before = time.process_time()
    shown = pages._rendered(start * 500_000)
    assert time.process_time() - before < 4
    assert "more characters are in the notebook" in shown
    assert r"\(a+b\)" in pages._rendered(r"so \(a+b\) is")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"so \(a+b\) is", "so $a+b$ is"),
        (r"so \\( a+b \\) is", "so $a+b$ is"),
        (r"\[a\]", "$$a$$"),
        (r"\\[a \\[4pt] b\\]", r"$$a \\[4pt] b$$"),
        (r"\[a \\[4pt] b\]", r"$$a \\[4pt] b$$"),
        (r"$$a\\[4pt]b$$ and \[c\]", r"$$a\\[4pt]b$$ and $$c$$"),
        (r"$a\\[1ex]b$", r"$a\\[1ex]b$"),
        (
            "\\begin{align}a\\\\[4pt]b\\end{align} \\(c\\)",
            "\\begin{align}a\\\\[4pt]b\\end{align} $c$",
        ),
        (
            r"\begin{a}\begin{a}\[x\]\end{a}\(y\)\end{a}",
            r"\begin{a}\begin{a}\[x\]\end{a}\(y\)\end{a}",
        ),
        (r"`\(code\)` and \(c\)", r"`\(code\)` and $c$"),
        ("```\n\\[code\\]\n```", "```\n\\[code\\]\n```"),
        ("5 $ and \n\n\\(c\\)", "5 $ and \n\n$c$"),
        (r"\$5 and \(c\)", r"\$5 and $c$"),
        (
            r"never closed \( and \[ and \begin{x} and $",
            r"never closed \( and \[ and \begin{x} and $",
        ),
    ],
)
def test_formulas_are_told_from_line_ends_and_code(text: str, shown: str) -> None:
    assert pages._dollars(text) == shown


def figure(data: Any) -> str:
    """A figure of plotly as it is found in a notebook, and shown on the page for marking."""
    outputs = [{"data": {"application/vnd.plotly.v1+json": data}}]
    (found,) = submissions._saved_pictures({"outputs": outputs})
    return pages._picture(found)


def test_no_odd_figure_stops_the_page_of_a_class() -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    shown = figure(
        {"data": [{"y": [1.5, float("nan"), float("-inf")], "x": [None, "<a>", "<b>"]}]}
    )
    data = json.loads(html.unescape(shown.partition('data-figure="')[2].partition('"')[0]))
    assert data["data"] == [{"y": [1.5, None, None], "x": [None, "‹a>", "<b>"]}]
    assert "not shown here" in figure({"data": deep})
    assert "not shown here" in figure({"data": "x" * 3_000_000})


def test_a_label_stands_once_among_the_answers_of_a_student() -> None:
    labels: set[str] = set()
    first = pages._rendered(r"$$a \label{one}$$ $$b \label{one}\label{two}$$", (), labels)
    second = pages._rendered(r"$c \label{one}$ $$\ref{one}$$", (), labels)
    assert (first + second).count(r"\label") == 2
    assert r"\label{two}" in first
    assert r"\ref{one}" in second


@pytest.mark.parametrize(
    ("source", "answer", "runs"),
    [
        ("# My proof\n#\n# Let $x$ be.", "My proof\n\nLet $x$ be.", False),
        ('"""Let $x$ be."""', "Let $x$ be.", False),
        ("Let $x$ be. Then $y$.", "Let $x$ be. Then $y$.", False),
        ("- one\n- two", "- one\n- two", False),
        ("%%markdown\nLet $x$ be.", "Let $x$ be.", False),
        ("%%latex\nLet $x$ be.", "Let $x$ be.", False),
        ("from IPython.display import Markdown\nMarkdown(r'Let $x$ be.')", "Let $x$ be.", False),
        ("display(IPython.display.Math('x'))", "x", False),
        ("x = 3", "```\nx = 3\n```", True),
    ],
)
def test_an_answer_that_was_made_a_cell_of_code_is_found(
    source: str, answer: str, runs: bool
) -> None:
    notebook = copy.deepcopy(BETA.notebook)
    place = next(i for i, c in enumerate(notebook.cells) if masters.grade_id(c) == PROOF)
    named = nbformat.v4.new_code_cell(source, metadata=notebook.cells[place].metadata)
    notebook.cells[place] = named
    found = submissions.part(notebook, BETA)
    assert found.answers[PROOF] == answer
    assert (source in dict(found.cells).values()) == runs
    # Without its name only words are an answer; code is the student's own and runs.
    notebook.cells[place] = nbformat.v4.new_code_cell(source)
    found = submissions.part(notebook, BETA)
    assert found.answers.get(PROOF) == (None if runs else answer)
    assert (source in [code for _, code in found.cells]) == runs


@pytest.mark.parametrize(
    "source",
    [
        "%timeit 1",
        "%%time\n1",
        "!ls",
        "?x",
        "x?",
        "x = 1\n  \nnp.sum??",
        "a = %who",
        "files = !ls",
        "display(1)",
        "2 + 2",
        "import os",
        "print('x')",
    ],
)
def test_code_below_a_question_is_no_answer(source: str) -> None:
    notebook = copy.deepcopy(BETA.notebook)
    place = next(i for i, c in enumerate(notebook.cells) if masters.grade_id(c) == PROOF)
    notebook.cells[place] = nbformat.v4.new_code_cell(source)
    assert PROOF not in submissions.part(notebook, BETA).answers


def test_another_photograph_is_another_answer_also_beside_notes_that_may_be_one() -> None:
    notebook = masters.release(BETA)
    photographs = [submissions.File("photo.png", data, 0.0) for data in (b"1", b"2")]
    for notes in ([], [nbformat.v4.new_markdown_cell("A note of mine.")]):
        notebook.cells[:0] = notes
        found = submissions.part(notebook, BETA)
        reports = [
            course.Report("ada", BETA, "graded", sandbox.Outcome({}), 0, found, [photograph])
            for photograph in photographs
        ]
        assert len({report.digest(PROOF) for report in reports}) == 2


QUESTION = BETA.asked[PROOF]
IN_CODE = [
    'def proof():\n    """Let $x$ be what minimises the sum of rate and distortion. ```"""',
    "x = 1\n# Let x be what minimises\ny = 2  # the sum of rate and distortion.",
    "proof = r'Let $x$ be what minimises the sum of rate and distortion.'",
    "print(f'Let {1} be what minimises the sum of rate and distortion.')",
]


@pytest.mark.parametrize("source", IN_CODE)
def test_a_proof_in_comments_or_a_text_of_code_is_shown_and_the_code_runs(source: str) -> None:
    notebook = masters.release(BETA)
    place = next(i for i, c in enumerate(notebook.cells) if masters.grade_id(c) == PROOF)
    notebook.cells[place] = nbformat.v4.new_code_cell(source)
    found = submissions.part(notebook, BETA)
    assert source in found.answers[PROOF]
    assert found.n_filled == 1
    assert source in dict(found.cells).values()
    # In another place it is shown where there is no answer, and where it is long enough.
    notebook = masters.release(BETA)
    (rate,) = [c for c in notebook.cells if masters.grade_id(c) == "beta-rate"]
    for cell, words in ((nbformat.v4.new_code_cell(source), source), (rate, rate.source)):
        cell.source = words + "\n" + "# It is therefore the one that has no slope.\n" * 3
        notebook.cells[:0] = [cell] if cell is not rate else []
        found = submissions.part(notebook, BETA)
        assert cell.source in found.answers[PROOF]
        assert found.n_filled == (cell is rate)
        cell.source = words
    assert PROOF not in submissions.part(notebook, BETA).answers


@pytest.mark.parametrize("strip", [False, True], ids=["named", "without metadata"])
@pytest.mark.parametrize("at", [0, 5, 100])
def test_a_proof_that_stands_elsewhere_is_shown_though_nobody_knows_that_it_is_one(
    at: int, strip: bool
) -> None:
    notebook = masters.release(BETA)
    notebook.cells.insert(at, nbformat.v4.new_markdown_cell("Let $x$ be."))
    for cell in notebook.cells if strip else []:
        cell.metadata = {}
    found = submissions.part(notebook, BETA)
    assert "Let $x$ be." in found.answers[PROOF]
    assert any(PROOF in remark and "elsewhere" in remark for remark in found.remarks)
    assert found.n_filled == 0
    # Beside a proof in its place it is a note.
    place = next(i for i, c in enumerate(notebook.cells) if c.source == masters.ANSWER)
    for cell in notebook.cells[place:]:
        cell.source = "There it is." if cell.source == masters.ANSWER else cell.source
    assert submissions.part(notebook, BETA).answers[PROOF] == "There it is."


@pytest.mark.parametrize("strip", [False, True], ids=["named", "without metadata"])
def test_an_answer_that_was_typed_below_its_question_in_the_same_cell_is_found(
    strip: bool,
) -> None:
    notebook = masters.release(BETA)
    (cell,) = [c for c in notebook.cells if masters.grade_id(c) == QUESTION]
    cell.source += "\n\nLet $x$ be:\n\n$$\nx = 1\n$$"
    for cell in notebook.cells if strip else []:
        cell.metadata = {}
    found = submissions.part(notebook, BETA)
    assert found.answers[PROOF] == "Let $x$ be:\n\n$$\nx = 1\n$$"
    assert found.n_filled == 1


def test_a_question_of_another_edition_of_the_book_is_no_answer() -> None:
    notebook = masters.release(BETA)
    (cell,) = [c for c in notebook.cells if masters.grade_id(c) == QUESTION]
    cell.source = cell.source.replace(".", "!")
    assert submissions.part(notebook, BETA).n_filled == 0


def test_a_picture_in_place_of_a_proof_is_said_and_handed_back(
    tmp_path: Path, grade: Grade
) -> None:
    notebook = masters.release(BETA)
    place = next(i for i, c in enumerate(notebook.cells) if masters.grade_id(c) == PROOF)
    picture = nbformat.v4.new_code_cell("Image('proof.png')")
    data = {"image/png": "iVBORw0KGgo="}
    picture.outputs = [nbformat.v4.new_output("display_data", data=data)]
    notebook.cells.insert(place + 1, picture)
    (tmp_path / "in" / "ada").mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "in" / "ada" / "5_beta.ipynb")
    grade(SET)
    (line,) = [r for r in rows(tmp_path / "grades" / "written.csv") if r["question"] == PROOF]
    assert line["found"] == "a picture"
    page = tmp_path / "grades" / "feedback" / "ada" / "5_beta.html"
    assert data["image/png"] in page.read_text(encoding="utf-8")


SHOWN = {"proof.pdf": PDF, "photo.JPG": b"\xff\xd8\xff", "draw.svg": b"<?xml?><svg/>"}
NOT_SHOWN = [
    "a.docx",
    "b.odt",
    "c.pages",
    "d.heic",
    "e.tiff",
    "f.tex",
    "g.md",
    "h",
    "i.csv",
    "j.m",
]


def test_every_file_is_shown_or_named(tmp_path: Path, grade: Grade) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    for name in [*SHOWN, *NOT_SHOWN]:
        (tmp_path / "in" / "ada" / name).write_bytes(SHOWN.get(name, b"x"))
    with zipfile.ZipFile(tmp_path / "in" / "ada" / "more.zip", "w") as archive:
        archive.writestr("deep/k.rtf", "x")
    grade()
    page = (tmp_path / "grades" / "proofs" / "5_beta.html").read_text(encoding="utf-8")
    feedback = tmp_path / "grades" / "feedback" / "ada" / "5_beta.html"
    for name in [*NOT_SHOWN, "more.zip/deep/k.rtf"]:
        said = f"{name} is no notebook (.ipynb), PDF or picture"
        assert said in page
        assert said in feedback.read_text(encoding="utf-8")
    assert len(list((tmp_path / "grades" / "proofs" / "files").iterdir())) == len(SHOWN)
    # Of an environment that came with it not each of its files.
    for number in range(200):
        (tmp_path / "in" / "ada" / f"{number}.so").write_bytes(b"x")
    grade()
    text = feedback.read_text(encoding="utf-8")
    assert text.count("is no notebook (.ipynb)") == 100
    assert "not read: and 111 more files" in text
    # A drawing that is opened by itself could run what is in it.
    assert 'href="files' in page
    assert ".svg" not in "".join(re.findall(r'href="[^"]*"', page))


# ---------------------------------------------------------------------------------------------
# What other systems read


def exchanged(tmp_path: Path, grade: Grade) -> Path:
    """The folder of a class of two, one of whom is missing."""
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb", time=after(0.5))
    points = {("ada", q): Mark(p) for q, p in BETA.written.items()}
    canvas = 'canvas = "Beta (77)"\n'
    grade(ROSTER + "penalty = 0.5\n" + SET + canvas, points)
    return tmp_path / "grades" / "exchange"


OF = f"{sum(BETA.tests.values()) + sum(BETA.written.values()):g}"
HALF = f"{(sum(BETA.tests.values()) + sum(BETA.written.values())) / 2:g}"


def test_canvas_finds_its_columns_its_ids_and_the_points_possible(
    tmp_path: Path, grade: Grade
) -> None:
    path = exchanged(tmp_path, grade) / "canvas.csv"
    assert path.read_bytes().startswith(b"Student,ID,SIS User ID,SIS Login ID,Section,Beta (77)")
    points, ada, bob = sorted(rows(path), key=lambda row: row["Student"].replace("'=", "z"))
    assert (points["Student"], points["Beta (77)"]) == ("    Points Possible", OF)
    assert (ada["Student"], ada["SIS User ID"], ada["Beta (77)"]) == ("Lovelace, Ada", "S1", HALF)
    assert (bob["Student"], bob["Beta (77)"]) == ("'=Bob", "0")


def test_gradescope_has_its_columns_with_the_lateness(tmp_path: Path, grade: Grade) -> None:
    ada, bob = sorted(
        rows(exchanged(tmp_path, grade) / "gradescope-5_beta.csv"), key=lambda r: r["First Name"]
    )[::-1]
    assert (ada["SID"], ada["Email"], ada["Total Score"], ada["Max Points"]) == (
        "S1",
        "al@x.org",
        HALF,
        OF,
    )
    assert ada["Lateness (H:M:S)"] == "12:00:00"
    assert bob["Status"] == "Missing"


@pytest.mark.weekly
@pytest.mark.slow
def test_nbgraders_table_has_its_columns_and_its_gradebook_takes_the_students(
    tmp_path: Path, grade: Grade
) -> None:
    pytest.importorskip("nbgrader")
    from nbgrader.api import Gradebook

    folder = exchanged(tmp_path, grade)
    (ada,) = [r for r in rows(folder / "nbgrader.csv") if r["student_id"] == "ada"]
    header = "assignment,duedate,timestamp,student_id,last_name,first_name,email,"
    header += "raw_score,late_submission_penalty,score,max_score"
    assert ",".join(ada) == header
    assert (ada["raw_score"], ada["late_submission_penalty"], ada["score"]) == (OF, HALF, HALF)
    command = [sys.executable, "-m", "nbgrader", "db", "student", "import"]
    command += [str(folder / "nbgrader-students.csv"), "--db", f"sqlite:///{tmp_path}/book.db"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PATH": path}
    )
    assert result.returncode == 0, result.stderr[-2000:]
    with Gradebook(f"sqlite:///{tmp_path}/book.db") as book:
        assert book.find_student("ada").last_name == "Lovelace"


def test_moodle_is_told_the_numbers_of_its_download_or_of_its_worksheet(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "in" / "Ada Lovelace_17_assignsubmission_file_" / "5_beta.ipynb", time=1.0)
    points = {("ada", q): Mark(p) for q, p in BETA.written.items()}
    grade(ROSTER + SET, points)
    path = tmp_path / "grades" / "exchange" / "moodle-5_beta.csv"
    (ada,) = rows(path)
    assert (ada["Identifier"], ada["Grade"]) == ("Participant 17", OF)
    assert {"Last modified (grade)", "Feedback comments"} <= ada.keys()
    assert "moodle-5_beta.csv is without bob" in capsys.readouterr().out
    written(
        tmp_path / "sheet.csv",
        "Identifier,Full name,Email address,Status,Grade,Maximum grade,Online text,"
        "Last modified (grade)\nParticipant 8,=Bob,,No submission,,25,,-\n"
        'Participant 17,Ada Lovelace,al@x.org,Submitted,,25,<p>x</p>,"Monday, 2 March"\n',
    )
    grade(ROSTER + SET + 'moodle = "sheet.csv"\n', points)
    ada, bob = rows(path)
    assert (bob["Identifier"], bob["Grade"], bob["Full name"]) == ("Participant 8", "0", "'=Bob")
    assert (ada["Last modified (grade)"], ada["Online text"]) == ("Monday, 2 March", "<p>x</p>")


SHEET = "Identifier,Full name,Email address,Grade,Last modified (grade)\n"


def test_a_worksheet_has_strangers_and_lacks_people(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "in" / "Ada Lovelace_17_assignsubmission_file_" / "5_beta.ipynb", time=1.0)
    twins = '{ student = "max1", name = "Max Born" }, { student = "max2", name = "Max Born" }]\n'
    people = ROSTER.replace("]", "," + twins).replace('", name = "=Bob" },', '" },')
    points = {("ada", q): Mark(p) for q, p in BETA.written.items()}
    lines = [
        "Participant 16,Eve Adams,eve@x.org,,-",
        "Participant 17,A. L.,,,-",  # by her number, whatever she is called there
        "Participant 18,Max Born,mb@x.org,,-",
        "Participant 19,Somebody,AL@x.org,,-",
    ]
    written(tmp_path / "sheet.csv", SHEET + "\n".join(lines))
    grade(people + SET + 'moodle = "sheet.csv"\n', points)
    path = tmp_path / "grades" / "exchange" / "moodle-5_beta.csv"
    assert [(r["Identifier"], r["Grade"]) for r in rows(path)] == [("Participant 17", OF)]
    said = capsys.readouterr().out
    assert "sheet.csv, line 2, is left out: Eve Adams is not on the roster" in said
    assert "line 4, is left out: Max Born may be one of several on the roster: max1, max2" in said
    assert "sheet.csv, line 5, is left out: ada has another line" in said
    assert "moodle-5_beta.csv is without bob, max1, max2: not in the worksheet" in said
    # Without a roster whoever has handed in is known by the number in the folder's name.
    grade(SET + 'moodle = "sheet.csv"\n', {})
    assert [(r["Identifier"], r["Full name"]) for r in rows(path)] == [("Participant 17", "A. L.")]
    said = capsys.readouterr().out
    assert "left out: Eve Adams has handed in nothing, and there is no roster" in said


def test_a_number_of_another_assignment_is_nobodys_here(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "in" / "Ada Lovelace" / "5_beta.ipynb", time=1.0)
    written(tmp_path / "roster.csv", SHEET + "Participant 17,Ada Lovelace,al@x.org,,-\n")
    grade('roster = "roster.csv"\n' + SET, {})
    assert not (tmp_path / "grades" / "exchange" / "moodle-5_beta.csv").exists()


# ---------------------------------------------------------------------------------------------
# What a person has typed


def test_an_empty_field_takes_nothing_away_and_what_changes_is_kept(tmp_path: Path) -> None:
    typed = {("ada", "q"): Mark(3.0, "good"), ("bob", "q"): Mark(None, "see me")}
    new = {("ada", "q"): Mark(), ("bob", "q"): Mark(2.0)}
    assert marks.merged(typed, new, {}) == {
        ("ada", "q"): Mark(3.0, "good"),
        ("bob", "q"): Mark(2.0, "see me"),
    }
    assert marks.merged(typed, {("ada", "q"): Mark(4.0)}, {})["ada", "q"] == Mark(4.0, "good")


def typed(tmp_path: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """What stands in `written.csv`."""
    table = rows(tmp_path / "grades" / "written.csv")
    return {(r["student"], r["question"]): (r["points"], r["comment"]) for r in table}


def test_marks_of_what_is_not_graded_now_stay_and_are_said_not_to_count_yet(
    tmp_path: Path, grade: Grade, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    grade()
    (tmp_path / "in" / "ada" / "5_beta.ipynb").unlink()
    hand_in(tmp_path / "in" / "ada" / "1_elbo.ipynb", "1_elbo")
    points = {("ada", PROOF): Mark(3.25, "good"), ("ada", WORDS): Mark(4.0)}
    assert grade("", points)["ada", "5_beta"]["total"] == ""
    assert "NOT COUNTED YET: marks of ada for 5_beta" in capsys.readouterr().out
    assert typed(tmp_path)["ada", PROOF] == ("3.25", "good")
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    assert grade()["ada", "5_beta"]["written"] == "7.25"
    assert "NOT COUNTED" not in capsys.readouterr().out


def test_marks_typed_into_the_table_while_it_is_graded_count_and_stay(
    tmp_path: Path, grade: Grade, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    grade()
    table = tmp_path / "grades" / "written.csv"

    def marked(plan: sandbox.Plan) -> sandbox.Outcome:
        text = table.read_text(encoding="utf-8-sig").replace(f"{PROOF},,", f"{PROOF},2,")
        table.write_text(text.replace(f"{WORDS},,", f"{WORDS},1,"), encoding="utf-8")
        return sandbox.Outcome(dict.fromkeys(plan.exam.tests, ""))

    monkeypatch.setattr(sandbox, "run", marked)
    for outcome in (tmp_path / "grades" / "outcomes").iterdir():
        outcome.unlink()
    assert grade("", {("ada", WORDS): Mark(5.0)})["ada", "5_beta"]["written"] == "7"
    assert typed(tmp_path) == {("ada", PROOF): ("2", ""), ("ada", WORDS): ("5", "")}
    (copy,) = (tmp_path / "grades").glob("written-*.csv")
    assert f"{WORDS},1," in copy.read_text(encoding="utf-8")


def test_marks_of_who_has_handed_in_nothing_but_paper_to_the_teacher_count_and_stay(
    tmp_path: Path, grade: Grade
) -> None:
    (tmp_path / "in").mkdir()
    assert grade(ROSTER + SET)["ada", "5_beta"]["total"] == "0"
    points = {("ada", PROOF): Mark(5.0, "on paper")}
    for new in (points, {}):
        line = grade(ROSTER + SET, new)["ada", "5_beta"]
        assert (line["status"], line["total"]) == ("missing", "5")
        assert typed(tmp_path) == {("ada", PROOF): ("5", "on paper")}
    # Another date takes the line away, and not the mark.
    assert ("ada", "5_beta") not in grade(ROSTER + "[assignments.5_beta]\ndue = 9999-01-01\n")
    assert typed(tmp_path) == {("ada", PROOF): ("5", "on paper")}


def hand_in_proof(path: Path, proof: str) -> None:
    """Hand in a master with another proof."""
    notebook = copy.deepcopy(BETA.notebook)
    (cell,) = [c for c in notebook.cells if masters.grade_id(c) == PROOF]
    cell.source = proof
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def edited(tmp_path: Path, question: str, **values: str) -> None:
    """Type into a line of `written.csv`."""
    path = tmp_path / "grades" / "written.csv"
    columns, lines = sheets.read(path)
    for _, row in lines:
        row.update(values if row["question"] == question else {})
    sheets.write(path, columns, [row for _, row in lines])


@pytest.mark.parametrize(
    "confirm", [{"marked": ""}, {"points": "4"}, {"points": "2.5"}], ids=["same", "more", "less"]
)
def test_a_mark_of_an_earlier_answer_stays_and_counts_when_it_is_confirmed(
    confirm: dict[str, str],
    tmp_path: Path,
    grade: Grade,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "in" / "ada" / "5_beta.ipynb"
    feedback = tmp_path / "grades" / "feedback" / "ada" / "5_beta.html"
    hand_in_proof(path, "By *parts*.")
    grade()
    edited(tmp_path, PROOF, points="3.5", comment="short")
    edited(tmp_path, WORDS, points="1")
    assert grade()["ada", "5_beta"]["total"] == "29.5"
    # What is saved again, with other spaces and line ends, is no other answer.
    hand_in_proof(path, "By\n*parts*.\n")
    assert grade()["ada", "5_beta"]["total"] == "29.5"
    hand_in_proof(path, "By *induction*.")
    for student in ("", "ada"):
        capsys.readouterr()
        assert grade("", only_student=student)["ada", "5_beta"]["total"] == ""
        assert f"NOT COUNTED YET: 3.5 points of ada for {PROOF}" in capsys.readouterr().out
        assert typed(tmp_path) == {("ada", PROOF): ("3.5", "short"), ("ada", WORDS): ("1", "")}
        table = rows(tmp_path / "grades" / "written.csv")
        assert ["not the answer that has" in row["found"] for row in table] == [
            row["question"] == PROOF for row in table
        ]
        page = (tmp_path / "grades" / "proofs" / "5_beta.html").read_text(encoding="utf-8")
        assert page.count("3.5 points were given to an earlier answer") == 1
        assert "(On an earlier answer:) short" in feedback.read_text(encoding="utf-8")
    edited(tmp_path, PROOF, **confirm)
    total = 26 + float(confirm.get("points", "3.5"))
    assert grade()["ada", "5_beta"]["total"] == f"{total:g}"
    assert "NOT COUNTED" not in capsys.readouterr().out
    assert "earlier answer" not in feedback.read_text(encoding="utf-8")
    # The first answer is another one than that which has points now.
    hand_in_proof(path, "By *parts*.")
    assert grade()["ada", "5_beta"]["total"] == ""


def test_a_file_of_marks_of_an_earlier_answer_takes_no_newer_one_away(
    tmp_path: Path, grade: Grade
) -> None:
    path = tmp_path / "in" / "ada" / "5_beta.ipynb"
    answers = []
    for proof in ("By parts.", "By induction."):
        hand_in_proof(path, proof)
        grade()
        table = rows(tmp_path / "grades" / "written.csv")
        answers += [row["answer"] for row in table if row["question"] == PROOF]
    words = {("ada", WORDS): Mark(5.0)}
    first = {("ada", PROOF): Mark(2.0, "so", answers[0])}
    assert grade("", words | first)["ada", "5_beta"]["total"] == ""
    assert typed(tmp_path)["ada", PROOF] == ("2", "so")
    second = {("ada", PROOF): Mark(4.0, "better", answers[1])}
    assert grade("", second)["ada", "5_beta"]["total"] == "34"
    assert grade("", first)["ada", "5_beta"]["total"] == "34"
    assert typed(tmp_path)["ada", PROOF] == ("4", "better")


def test_no_points_for_no_proof_do_not_count_for_one_that_comes_later(
    tmp_path: Path, grade: Grade
) -> None:
    path = tmp_path / "in" / "ada" / "5_beta.ipynb"
    hand_in_proof(path, masters.ANSWER)
    grade()
    edited(tmp_path, WORDS, points="5")
    edited(tmp_path, PROOF, points="0")
    assert grade()["ada", "5_beta"]["total"] == "30"
    hand_in_proof(path, "By parts.")
    assert grade()["ada", "5_beta"]["total"] == ""


def test_a_column_of_the_teachers_own_stays(tmp_path: Path, grade: Grade) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    grade()
    path = tmp_path / "grades" / "written.csv"
    head, *lines = path.read_text(encoding="utf-8-sig").splitlines()
    text = "\n".join([head + ",marker", *(f"{line},Smith" for line in lines)])
    path.write_text(text, encoding="utf-8")
    grade("", {("ada", PROOF): Mark(5.0)})
    assert [row["marker"] for row in rows(path)] == ["Smith"] * len(BETA.written)
    assert typed(tmp_path)["ada", PROOF] == ("5", "")


# ---------------------------------------------------------------------------------------------
# The class as a whole


def test_statistics_and_the_page_of_the_class_name_nobody(tmp_path: Path, grade: Grade) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    hand_in(tmp_path / "in" / "bob" / "5_beta.ipynb")
    grade()
    found = rows(tmp_path / "grades" / "statistics.csv")
    assert {r["test"] for r in found} == set(BETA.tests)
    assert {(r["n"], r["passed"]) for r in found} == {("2", "2")}
    page = (tmp_path / "grades" / "class.html").read_text(encoding="utf-8")
    assert "2 submissions" in page
    assert "ada" not in page
    assert "bob" not in page


ORIGINAL = BETA.cells["beta-rate"].source
CUNNING = """
def rate(mu, logvar):
    total = 0.0
    n = len(mu)
    for row in range(n):
        for column in range(len(mu[row])):
            spread = np.exp(logvar[row][column])
            where = mu[row][column] ** 2
            total += 0.5 * (spread + where - 1.0 - logvar[row][column])
    average = total / n
    return float(average)
"""
RENAMED = CUNNING.replace("total", "t").replace("row", "i").replace("column", "j  # copied")


def similar(students: dict[str, str]) -> list[tuple[str, str]]:
    """The pairs found among students with a cell each, beside what all were given."""
    prints = {}
    for name, cell in students.items():
        given = list(BETA.released.items())
        found = submissions.Found(cells=[*given, ("beta-rate", cell)])
        report = course.Report(name, BETA, "graded", sandbox.Outcome({}), 0, found)
        prints[name] = similarity.prints(report)
    return [(p["student"], p["other"]) for p in similarity.pairs({"5_beta": prints})]


def test_code_that_two_share_is_found_though_names_and_comments_differ() -> None:
    others = {f"s{i}": f"def rate(mu, logvar):\n    return {i} + mu.sum()" for i in range(5)}
    assert similar({"ada": CUNNING, "bob": RENAMED, **others}) == [("ada", "bob")]


SCAFFOLD = BETA.cells["beta-helpers"].source + "\n\n" + BETA.released["beta-rate-1"]


@pytest.mark.parametrize(
    "scaffold",
    [
        SCAFFOLD,
        SCAFFOLD.replace("expect", "truth").replace("rng", "generator"),
        "\n\n".join(BETA.released[name] for name in BETA.cell_of.values()),
        f'TASK = """{BETA.questions["beta-words"]}"""',
        "%%time\n" + SCAFFOLD.replace("    _check(", "    print(expect)\n    _check("),
        re.sub(r"^@_draws.*\n", "", SCAFFOLD, flags=re.M).replace("mu", "m"),
    ],
    ids=["tests", "tests, renamed", "stubs", "text", "tests that print", "tests, run once"],
)
def test_what_was_handed_out_counts_for_nothing_in_a_students_own_cell(scaffold: str) -> None:
    others = {f"s{i}": f"def rate(mu, logvar):\n    return {i} + mu.sum()" for i in range(5)}
    ada = scaffold + "\n\n" + "\n".join(f"a{i} = np.ones({i}) @ z{i}" for i in range(20))
    bob = scaffold + "\n\n" + "\n".join(f"for b{i} in x: y.append(b{i})" for i in range(20))
    assert similar({"ada": ada, "bob": bob, **others}) == []
    assert similar({"ada": scaffold + CUNNING, "bob": scaffold + RENAMED, **others}) == [
        ("ada", "bob")
    ]


def test_what_all_were_given_or_many_have_written_is_no_similarity() -> None:
    assert similar({"ada": "", "bob": ""}) == []
    assert similar({f"s{i}": CUNNING for i in range(6)}) == []


# ---------------------------------------------------------------------------------------------
# What passes between the grader and a notebook


@pytest.fixture
def remote() -> Iterator[Callable[[Callable[..., Any]], Callable[..., Any]]]:
    """A function, called over a socket."""
    here, there = socket.socketpair()
    offers: dict[str, Callable[..., Any]] = {}
    other = wire.Peer(wire.Line(there), offers)
    thread = threading.Thread(target=other.serve)
    thread.start()

    def offered(function: Callable[..., Any]) -> Callable[..., Any]:
        offers["f"] = function
        return wire.Peer(wire.Line(here), {}).function("f")

    yield offered
    here.close()
    thread.join()
    there.close()


def test_a_word_of_numpys_arrives_as_a_word(remote: Any) -> None:
    assert remote(lambda: np.array(["too bold", "fine"])[0])() == "too bold"
    assert remote(lambda: [np.str_("fine")])() == ["fine"]


def test_numbers_of_any_kind_arrive_and_others_are_refused_by_their_kind(remote: Any) -> None:
    half = torch.tensor([-0.5j, -0.5j])
    real = torch.conj(half).imag
    for value in (real, real.to_sparse(), half * 1j, half.numpy() * 1j):
        assert remote(lambda value=value: value)().tolist() == [0.5, 0.5]
    for value in (x for x in (0.5,)), {"a": 0.5}, map(float, [0.5]):
        with pytest.raises(wire.Remote, match=f"of the type {type(value).__name__} is no array"):
            remote(lambda value=value: value)()
    for value in (half, half.numpy(), 0.5j):
        with pytest.raises(wire.Remote, match="complex numbers are not taken"):
            remote(lambda value=value: value)()


def test_a_generator_goes_on_wherever_it_stands_among_the_arguments(remote: Any) -> None:
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    draw = remote(lambda rng: rng.normal(size=3))
    for drawn in (draw(rng), draw(rng=rng), draw(rng=rng)):
        np.testing.assert_array_equal(drawn, same.normal(size=3))


def test_what_a_students_function_changes_the_right_one_in_its_place_does_not_see() -> None:
    def own(x: Any, scale: Any) -> Any:
        x *= 0
        scale[0] = 0
        return x

    for array in (np.ones, torch.ones):
        call = inside._instead(own, lambda x, scale: 2 * x * scale)
        x, scale = array(2), array(2)
        assert list(call(x, scale=scale)) == [2, 2]
        assert list(x) == list(scale) == [1, 1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, pytest.skip.Exception])
def test_whatever_a_students_function_raises_the_right_one_takes_its_place(error: Any) -> None:
    def own(x: Any) -> Any:
        raise error

    assert inside._instead(own, lambda x: 2 * x)(np.ones(1)) == 2


def test_all_cores_are_used_also_where_the_system_does_not_say_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n = os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    assert course._n_cores() == n


# ---------------------------------------------------------------------------------------------
# A large class, and other machines


def processor_seconds(folder: Path, *students: str) -> float:
    """What it takes to grade a different submission of each student, in the sandbox and here."""
    (cell, *_) = [c for c in BETA.notebook.cells if c.metadata.nbgrader.solution]
    before = cell.source
    for student in students:
        cell.source = f"{before}\n# {student}"  # or it would not be run a second time
        hand_in(folder / student / student / "5_beta.ipynb")
        cell.source = before
    start = time.process_time() + in_sandbox()
    for student in students:
        (report,) = course.grade_folder(folder / student, folder / "grades", 0, {})
        assert report.row["automatic"] == report.row["automatic_of"]
    return time.process_time() + in_sandbox() - start


def in_sandbox() -> float:
    """The processor time of the sandbox's first process and all that it has waited for."""
    if not sandbox._sandboxes:
        return 0.0
    *_, first = list(memory._descendants(sandbox._sandboxes[0].process.pid))[:2]
    fields = Path(f"/proc/{first}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.weekly
def test_two_hundred_submissions_with_trained_models_take_six_minutes_on_two_cores(
    tmp_path: Path,
) -> None:
    first = processor_seconds(tmp_path, "first")  # each core imports the libraries once
    ten = processor_seconds(tmp_path, *(f"s{n}" for n in range(10)))
    print(f"{first:.1f} s of the processor for the first submission, then {ten / 10:.2f} s each")
    assert first + 100 * ten / 10 < 360


@pytest.mark.weekly
@pytest.mark.slow
def test_a_cluster_of_the_experiments_grades_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    folder = tmp_path / "cluster"
    folder.mkdir()
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    cluster = Cluster(folder)
    try:
        reports = course.grade_folder(
            tmp_path / "in", tmp_path / "grades", 0, {}, scheduler=cluster.address
        )
    finally:
        cluster.stop()
    assert [r.row["automatic"] for r in reports] == [r.row["automatic_of"] for r in reports]


def test_no_such_scheduler_is_refused(tmp_path: Path) -> None:
    hand_in(tmp_path / "in" / "ada" / "5_beta.ipynb")
    with pytest.raises(ValueError, match="scheduler must be the address"):
        course.grade_folder(
            tmp_path / "in", tmp_path / "grades", 0, {}, scheduler="tcp://127.0.0.1:9"
        )
