"""Find students' notebooks in what comes back, and tell what in them is whose.

A folder or a zip, with a folder for each student, or flat as Canvas and Moodle hand files over.
What cannot be read is refused by name; nothing is followed out of the folder.
"""

__all__ = ["File", "Found", "Student", "collect", "part", "read"]

import ast
import datetime
import io
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
from nbformat import NotebookNode

from masters import ANSWER, Assignment, first_line, grade_id, is_run

_LARGEST = 20 * 2**20  # bytes of a file
_LARGEST_ZIP = 200 * 2**20  # and of all in a student's zip
_SKIPPED = {".ipynb_checkpoints", "__MACOSX", ".DS_Store", ".git", "Thumbs.db"}
# lastfirst_12345_67890_1_elbo.ipynb, with LATE after the name of who is late
_CANVAS = re.compile(r"(?P<student>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_\d+_(?P<file>.+)")
# Ada Lovelace_12345_assignsubmission_file_, a folder or before a file's name
_MOODLE = re.compile(r"(?P<student>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)")
_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
# By what a picture or a PDF begins with, whatever it is called.
_KINDS = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


@dataclass(frozen=True)
class File:
    """What somebody has handed in.

    Attributes:
        name: within the student's folder.
        data: what is in it.
        time: of its last change, by which the newest of several is known.
        handed_in: when it was, in seconds since 1970; nothing in a download of Canvas or Moodle,
            where all files have the time of the download.
        late: whether Canvas says that it was.
        canvas: the student's number there.
        moodle: the participant's number there, which is another for each assignment.
        kind: of a picture or a PDF.
    """

    name: str
    data: bytes
    time: float
    handed_in: float | None = None
    late: bool = False
    canvas: str = ""
    moodle: str = ""
    kind: str = ""


@dataclass
class Student:
    """All that one student has handed in under a name; of what cannot be read, the reason."""

    name: str = ""
    files: list[File] = field(default_factory=list)
    papers: list[File] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def add(self, other: "Student") -> None:
        """Take over what came under another name."""
        self.files += other.files
        self.papers += other.papers
        self.refused += other.refused


def collect(place: Path) -> tuple[dict[str, Student], list[str]]:
    """Return what each student has handed in, and which files are nobody's.

    Several of one name, with different numbers in Canvas or Moodle, have these in their keys.

    Raises:
        ValueError: when `place` is neither a folder nor a zip.
    """
    if place.is_dir():
        entries = _folder(place)
    elif place.is_file() and zipfile.is_zipfile(place):
        entries = _zip(place.read_bytes())
    else:
        raise ValueError(f"SUBMISSIONS must be a folder or a zip, got {place}")
    found: dict[tuple[str, str], Student] = {}
    strays = []
    for path, data, time in entries:
        if path.name in _SKIPPED or path.name.startswith("._") or _SKIPPED & set(path.parts[:-1]):
            continue
        first = path.parts[0]
        match = _MOODLE.fullmatch(first) or (
            _CANVAS.fullmatch(first) if path.name == first else None
        )
        name = match["student"] if match else first
        if path.name == first and match is None:
            if path.suffix.lower() in (".ipynb", ".zip", ".py"):
                strays.append(f"{_plain(first)} lies in no student's folder")
            continue
        key = (_plain(name), match["number"] if match else "")
        student = found.setdefault(key, Student(key[0]))
        inner = "/".join(path.parts[1:]) or (match["file"] if match else first)
        file = File(_plain(inner), b"", time, time)
        if match is not None and match.re is _CANVAS:
            late = match["late"] is not None
            file = replace(file, canvas=match["number"], handed_in=None, late=late)
        elif match is not None:
            file = replace(file, moodle=match["number"], handed_in=None)
        _take(student, file, data)
    # A folder without a file is a student's too.
    if place.is_dir():
        for folder in place.iterdir():
            if folder.name not in _SKIPPED and folder.is_dir() and not folder.is_symlink():
                match = _MOODLE.fullmatch(folder.name)
                name = _plain(match["student"] if match else folder.name)
                found.setdefault((name, match["number"] if match else ""), Student(name))
    numbers = Counter(name for name, number in found if number)
    students: dict[str, Student] = {}
    for (name, number), one in sorted(found.items()):
        key_ = f"{name} ({number})" if number and numbers[name] > 1 else name
        student = students.setdefault(key_, Student(name))
        student.add(one)
    return students, strays


def _plain(name: str) -> str:
    """A name as one can print and compare it."""
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    return "".join(c if c.isprintable() else "?" for c in name).strip()


def _take(student: Student, file: File, data: bytes | str) -> None:
    suffix = PurePosixPath(file.name).suffix.lower()
    if isinstance(data, str):
        student.refused.append(f"{file.name} {data}")
    elif suffix == ".ipynb":
        student.files.append(replace(file, data=data))
    elif suffix == ".zip":
        left = _LARGEST_ZIP
        try:
            for path, inner, when in _zip(data):
                if (left := left - len(inner)) < 0:
                    raise ValueError(f"it holds more than {_LARGEST_ZIP} bytes")
                if path.suffix.lower() == ".zip":
                    student.refused.append(f"{file.name}/{path} is a zip within a zip")
                elif not (_SKIPPED & set(path.parts)) and not path.name.startswith("._"):
                    # A student may write any time into a zip; handed in is the zip.
                    name = f"{file.name}/{_plain(str(path))}"
                    _take(student, replace(file, name=name, time=when), inner)
        except Exception as error:  # whatever there may be wrong with it
            student.refused.append(f"{file.name} is no zip that can be read: {error}")
    elif suffix in (".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp"):
        kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), "")
        if kind:
            student.papers.append(replace(file, data=data, kind=kind))
        else:
            student.refused.append(f"{file.name} is not what its name says")
    elif suffix in (".py", ".html", ".docx", ".rar", ".7z", ".gz", ".tar", ".txt", ".heic"):
        student.refused.append(f"{file.name} is no notebook (.ipynb)")


def _folder(place: Path) -> Iterator[tuple[PurePosixPath, bytes | str, float]]:
    """All regular files; a link, a pipe or a device is told and not opened."""
    waiting = [place]
    while waiting:
        here = waiting.pop()
        for path in sorted(here.iterdir(), key=lambda p: p.name):
            relative = PurePosixPath(*path.relative_to(place).parts)
            try:
                status = path.lstat()
                if stat.S_ISDIR(status.st_mode):
                    if path.name not in _SKIPPED and len(relative.parts) < 20:
                        waiting.append(path)
                elif not stat.S_ISREG(status.st_mode):
                    yield relative, "is no file but a link or a device", status.st_mtime
                elif status.st_size > _LARGEST:
                    yield relative, f"has more than {_LARGEST} bytes", status.st_mtime
                else:
                    yield relative, path.read_bytes(), status.st_mtime
            except OSError as error:
                yield relative, f"cannot be read: {error.strerror}", 0.0


def _zip(data: bytes) -> Iterator[tuple[PurePosixPath, bytes | str, float]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist()[:10_000]:
            path = PurePosixPath(info.filename.replace("\\", "/"))
            if info.is_dir() or ".." in path.parts or path.is_absolute():
                continue
            try:
                time = datetime.datetime(*info.date_time).timestamp()
            except (ValueError, OverflowError):
                time = 0.0
            if info.file_size > _LARGEST:
                yield path, f"has more than {_LARGEST} bytes", time
            else:
                inner: bytes | str
                try:
                    with archive.open(info) as file:
                        inner = file.read(_LARGEST)
                except Exception as error:  # whatever a decompressor says of damaged data
                    inner = f"cannot be read: {error}"
                yield path, inner, time


# ---------------------------------------------------------------------------------------------
# A notebook


def read(file: File) -> NotebookNode:
    """Read a notebook as it may come back: other line ends, a byte-order mark, older formats.

    Raises:
        ValueError: when it is no notebook.
    """
    try:
        text = file.data.decode("utf-8-sig", errors="replace")
        notebook = nbformat.reads(text, as_version=4)
        for cell in notebook.cells:
            source = "".join(cell.source).replace("\r\n", "\n").replace("\r", "\n")
            cell.source = source.encode("utf-8", "replace").decode()
            cell.cell_type = str(cell.cell_type)
            if not isinstance(cell.get("metadata"), dict):
                cell.metadata = {}
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()[:200]
        raise ValueError(f"{file.name} is no notebook that can be read: {reason}") from None
    return notebook


@dataclass
class Found:
    """What is in a notebook.

    Attributes:
        cells: (name, source) of the code to run.
        answers: the text of each written answer.
        images: those that were pasted into an answer, as data of a page.
        remarks: on cells that are missing or were changed.
        n_known: how many of the master's cells it has.
        n_filled: how many of the student's cells are filled in.
    """

    cells: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    images: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    n_known: int = 0
    n_filled: int = 0


def part(notebook: NotebookNode, assignment: Assignment) -> Found:
    """Sort the cells of a notebook, wherever they stand and whatever an editor made of them.

    A cell is known by its grade_id; without one by its first line, or by the function that it
    defines. All code of the student runs, in order; a cell nobody has filled in is left out when
    another one holds its functions. An answer in words is what stands between its heading and the
    next cell of the master.
    """
    found = Found()
    names = [_name(cell, assignment) for cell in notebook.cells]
    wanted = assignment.released
    found.n_known = len(set(filter(None, names)))
    written_by_student = [
        cell.source
        for cell, name in zip(notebook.cells, names, strict=True)
        if cell.cell_type == "code"
        and cell.source.strip() != wanted.get(name, "").strip()
        and not assignment.roles.get(name, {}).get("locked")
    ]
    defined = {name for source in written_by_student for name in _defines(source)}
    zone = ""  # the written answer whose place this is
    lacking = [name for name in assignment.given if name not in names]
    found.cells += [(name, assignment.cells[name].source) for name in lacking]
    for position, (cell, name) in enumerate(zip(notebook.cells, names, strict=True), 1):
        role = assignment.roles.get(name, {})
        source = cell.source
        untouched = bool(name) and source.strip() == wanted[name].strip()
        if name:
            zone = assignment.headings.get(name, name if name in assignment.written else "")
        if cell.cell_type != "code":
            question = name if name in assignment.written else zone if not name else ""
            if question and source.strip() not in ("", ANSWER):
                before = found.answers.get(question)
                found.answers[question] = f"{before}\n\n{source}" if before else source
                found.images.setdefault(question, []).extend(_images(cell))
            continue
        if zone:
            found.images.setdefault(zone, []).extend(_saved_pictures(cell))
        if not is_run(name) and not _defines(source) & assignment.functions:
            continue
        if role.get("locked"):
            original = assignment.cells[name].source
            if not untouched and source.strip() != original.strip():
                found.remarks.append(f"{name} was changed; the original was used")
                if _defines(source) & assignment.functions:
                    found.cells.append((f"cell {position}", source))
            # Only tests use what is given after the helpers; a student's own of that name stays.
            if not role["grade"] and not (
                name not in assignment.given and _defines(original) & defined
            ):
                found.cells.append((name, original))
        elif not (untouched and _defines(source) & defined):
            found.cells.append((name or f"cell {position}", source))
    seen = set(names)
    missing = [
        name
        for name, cell in assignment.cells.items()
        if cell.cell_type == "code" and name not in seen and not _defines(cell.source) & defined
    ]
    found.remarks += [f"{name} is missing" for name in missing]
    found.remarks += [f"{q}: nothing found" for q in assignment.written if q not in found.answers]
    found.n_filled = len(defined & assignment.functions) + len(found.answers)
    return found


def _name(cell: NotebookNode, assignment: Assignment) -> str:
    """Which cell of the master it is, or nothing for a student's own."""
    if (name := grade_id(cell)) in assignment.roles:
        return name
    if not cell.source.strip():
        return ""
    if name := assignment.first_lines.get(first_line(cell.source), ""):
        return name
    if cell.cell_type == "code":
        for function in _defines(cell.source):
            if function in assignment.functions:
                return assignment.cell_of[function]
    return ""


def _defines(source: str) -> set[str]:
    """The names that a cell gives to functions and values, also where it does not parse."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r"^(?:async\s+)?(?:def\s+)?(\w+)\s*(?:\(|=(?!=))", source, re.M))
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            targets = [t for target in node.targets for t in ast.walk(target)]
            names.update(t.id for t in targets if isinstance(t, ast.Name))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def _images(cell: Any) -> list[str]:
    attachments = cell.get("attachments") or {}
    return [
        f"data:{kind};base64,{data}"
        for bundle in attachments.values()
        if isinstance(bundle, dict)
        for kind, data in bundle.items()
        if kind in _IMAGES and isinstance(data, str) and re.fullmatch(r"[\w+/=\s]+", data)
    ]


def _saved_pictures(cell: Any) -> list[str]:
    """The pictures among the outputs of a cell, as the notebook was saved."""
    outputs = cell.get("outputs")
    outputs = outputs if isinstance(outputs, list) else []
    bundles = [out.get("data") for out in outputs if isinstance(out, dict)]
    return _images({"attachments": dict(enumerate(bundles))})
