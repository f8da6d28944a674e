"""Find students' notebooks in what comes back, and tell what in them is whose.

A folder or a zip, with a folder for each student, or flat as Canvas and Moodle hand files over.
What cannot be read is refused by name; nothing is followed out of the folder.
"""

__all__ = ["ELSEWHERE", "File", "Found", "Student", "collect", "part", "read"]

import ast
import base64
import codecs
import contextlib
import datetime
import difflib
import functools
import io
import json
import os
import re
import stat
import time
import tokenize
import unicodedata
import urllib.parse
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
from nbformat import NotebookNode

from masters import ANSWER, Assignment, first_line, grade_id, is_run

ELSEWHERE = "*Elsewhere in the notebook:*"  # before what may be an answer to anything
_LARGEST = 20 * 2**20  # bytes of a file
_MOST_CELLS = 1_000  # of a notebook
_MOST_CODE = 2**20  # characters of code in it, which is parsed outside the sandbox
_MOST_OBJECTS = 100_000  # of its JSON, such as outputs, each of which is checked
_LARGEST_ZIP = 200 * 2**20  # and of all in a student's zip
_MOST_FILES = 10_000  # in a student's zip
_DEEPEST = 20  # folders within each other
_LONGEST = 200  # bytes of a name, of which folders are made
_SKIPPED = {".ipynb_checkpoints", "__MACOSX", ".DS_Store", ".git", "Thumbs.db", "desktop.ini"}
# lastfirst_12345_67890_1_elbo.ipynb, with LATE after the name of who is late
_CANVAS = re.compile(r"(?P<student>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_\d+_(?P<file>.+)")
# Ada Lovelace_12345_assignsubmission_file_, a folder or before a file's name
_MOODLE = re.compile(r"(?P<student>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)")
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
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
            where all files have the time of the download, or where it lies in the future.
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
    """All that one student has handed in under a name.

    Attributes:
        name: that name.
        files: the notebooks.
        papers: pictures and PDFs.
        refused: why others cannot be read.
        places: the folders or files that were handed over.
    """

    name: str = ""
    files: list[File] = field(default_factory=list)
    papers: list[File] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)

    def add(self, other: "Student") -> None:
        """Take over what came under another name."""
        self.files += other.files
        self.papers += other.papers
        self.refused += other.refused
        self.places |= other.places


_PAPERS = (".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")
_READ = (".ipynb", ".zip", *_PAPERS)

# A path, what reads it (its contents or what is wrong with it; nothing for a folder), its time
Contents = bytes | str
Entry = tuple[PurePosixPath, Callable[[], Contents] | None, float]


def collect(
    place: Path,
    zone: datetime.tzinfo | None = None,
    is_student: Callable[[str], bool] = lambda name: False,
    assignments: Iterable[str] = (),
) -> tuple[dict[str, Student], list[str]]:
    """Return what each student has handed in, and which files are nobody's.

    Several of one name, with different numbers in Canvas or Moodle, have these in their keys.
    A folder around all others, as a zip that was made of a folder has it, is nobody's name.

    Args:
        place: a folder or a zip.
        zone: whose clock the times in a zip are of.
        is_student: whether a roster has somebody of that name.
        assignments: by whose names a folder within a student's is known.

    Raises:
        ValueError: when `place` is neither a folder nor a zip.
    """
    if place.is_dir():
        entries = _folder(place)
    elif place.is_file() and zipfile.is_zipfile(place):
        entries = _zip(place.read_bytes(), zone)
    else:
        raise ValueError(f"SUBMISSIONS must be a folder or a zip, got {place}")
    assignments = set(assignments)
    kept = [entry for entry in entries if not _is_skipped(entry[0])]
    around = _around(kept, place.stem, is_student, assignments)
    return _by_student(kept, around, is_student, assignments)


def _around(
    entries: list[Entry], name: str, is_student: Callable[[str], bool], assignments: set[str]
) -> str:
    """Return the name of a folder around those of the students, or nothing."""
    tops = {path.parts[0] for path, *_ in entries}
    files = [path for path, load, _ in entries if load is not None]
    if len(tops) != 1 or any(len(path.parts) == 1 for path in files):
        return ""
    top = tops.pop()
    within = [PurePosixPath(*path.parts[1:]) for path, *_ in entries if len(path.parts) > 1]
    own = [path for path in files if len(path.parts) == 2 and path.suffix.lower() in _READ]
    folders = {path.parts[0] for path in within} - {path.name for path in files}
    if is_student(_plain(top)):
        return ""
    if any(map(_download, within)) or any(map(is_student, folders)):
        return top
    if own or any(known in folder.lower() for folder in folders for known in assignments):
        return ""
    return top if len(folders) > 1 or _plain(top) == _plain(name) else ""


def _is_skipped(path: PurePosixPath) -> bool:
    """Whether it is something that a system puts beside files, and nobody has handed in."""
    return path.name.startswith("._") or bool(_SKIPPED & set(path.parts))


def _download(path: PurePosixPath, is_file: bool = True) -> re.Match[str] | None:
    """How Canvas or Moodle has named a file or a folder, if it was one of them."""
    first = path.parts[0]
    canvas = is_file and path.name == first
    return _MOODLE.fullmatch(first) or (_CANVAS.fullmatch(first) if canvas else None)


def _by_student(
    entries: list[Entry], around: str, is_student: Callable[[str], bool], assignments: set[str]
) -> tuple[dict[str, Student], list[str]]:
    found: dict[tuple[str, str], Student] = {}
    strays = []
    for whole, load, when in entries:
        path = PurePosixPath(*whole.parts[1:]) if around else whole
        if not path.parts:
            continue
        # A folder for each assignment, with those of the students in it.
        top = path.parts[0]
        if top.lower() in assignments and not is_student(top) and (path.parts[1:] or not load):
            path = PurePosixPath(*path.parts[1:])
        else:
            top = ""
        if not path.parts:
            continue
        first = path.parts[0]
        match = _download(path, is_file=load is not None)
        name = match["student"] if match else first
        if path.name == first and match is None and load is not None:
            strays.append(f"{_plain(first)} lies in no student's folder")
            continue
        name = _plain(name)
        if name in ("", ".", "..") or len(name.encode()) > _LONGEST:
            if (said := f"{name[:50]!r} is no name for a student") not in strays:
                strays.append(said)
            continue
        key = (name, match["number"] if match else "")
        student = found.setdefault(key, Student(key[0]))
        student.places.add(str(PurePosixPath(around, top, first)))
        if load is None:
            continue  # a folder without a file is a student's too
        inner = "/".join(path.parts[1:]) or (match["file"] if match else first)
        inner = f"{top}/{inner}" if top else inner  # which says of what assignment a paper is
        is_past = 0 < when < time.time() + 86_400
        file = File(_plain(inner), b"", when, when if is_past else None)
        if match is not None and match.re is _CANVAS:
            late = match["late"] is not None
            file = replace(file, canvas=match["number"], handed_in=None, late=late)
        elif match is not None:
            file = replace(file, moodle=match["number"], handed_in=None)
        _take(student, file, load)
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


def _take(student: Student, file: File, load: Callable[[], Contents]) -> None:
    suffix = PurePosixPath(file.name).suffix.lower()
    may_be = suffix in ("", ".json", ".txt", ".download")  # as a browser may call one
    data = load() if suffix in _READ or may_be else b""
    if isinstance(data, str):
        student.refused.append(f"{file.name} {data}")
    elif suffix == ".ipynb" or (
        may_be and data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{" and b'"cells"' in data
    ):
        student.files.append(replace(file, data=data))
    elif suffix not in _READ:
        student.refused.append(f"{file.name} is no notebook (.ipynb), PDF or picture")
    elif suffix == ".zip":
        try:
            _unpack(student, file, data)
        except Exception as error:  # whatever there may be wrong with it
            student.refused.append(f"{file.name} is no zip that can be read: {error}")
    else:
        kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), "")
        if suffix == ".svg" and b"<svg" in data[:4_000]:
            kind = "image/svg+xml"
        if kind:
            student.papers.append(replace(file, data=data, kind=kind))
        else:
            student.refused.append(f"{file.name} is not what its name says")


def _unpack(student: Student, zipped: File, data: bytes) -> None:
    """Take what a student's own zip holds.

    Raises:
        ValueError: when that is too much.
    """
    left = _LARGEST_ZIP
    entries = [entry for entry in _zip(data) if entry[1] and not _is_skipped(entry[0])]
    if not entries:
        raise ValueError("there is nothing in it")
    if len(entries) > _MOST_FILES:
        raise ValueError(f"it holds more than {_MOST_FILES} files")
    for path, load, when in entries:
        file = replace(zipped, name=f"{zipped.name}/{_plain(str(path))}", time=when)
        if path.suffix.lower() == ".zip":
            student.refused.append(f"{file.name} is a zip within a zip")
            continue

        def counted(load: Any = load) -> Contents:
            nonlocal left
            inner: Contents = load()
            if (left := left - len(inner)) < 0:
                raise ValueError(f"it holds more than {_LARGEST_ZIP} bytes")
            return inner

        # A student may write any time into a zip; handed in is the zip.
        _take(student, file, counted)


def _folder(place: Path) -> Iterator[Entry]:
    """All files and folders; a link, a pipe or a device is told and not opened."""
    waiting = [place]
    while waiting:
        here = waiting.pop()
        for path in sorted(here.iterdir(), key=lambda p: p.name):
            relative = PurePosixPath(*path.relative_to(place).parts)
            try:
                status = path.lstat()
                if not stat.S_ISDIR(status.st_mode):
                    yield relative, functools.partial(_read, path, status), status.st_mtime
                elif len(relative.parts) >= _DEEPEST:
                    yield relative, lambda: "lies too deep", status.st_mtime
                elif path.name not in _SKIPPED:
                    waiting.append(path)
                    yield relative, None, status.st_mtime
            except OSError as error:
                yield relative, functools.partial(_unreadable, error.strerror), 0.0


def _read(path: Path, status: os.stat_result) -> Contents:
    if not stat.S_ISREG(status.st_mode):
        return "is no file but a link or a device"
    if status.st_size > _LARGEST:
        return f"has more than {_LARGEST} bytes"
    try:
        return path.read_bytes()
    except OSError as error:
        return _unreadable(error.strerror)


def _unreadable(why: object) -> str:
    return f"cannot be read: {why}"


def _zip(data: bytes, zone: datetime.tzinfo | None = None) -> Iterator[Entry]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    for info in archive.infolist():
        name = info.filename
        if not info.flag_bits & 0x800:  # as macOS leaves it out, but means UTF-8
            with contextlib.suppress(UnicodeError):
                name = name.encode("cp437").decode()
        path = PurePosixPath(name.replace("\\", "/"))
        load: Callable[[], Contents] | None = functools.partial(_unzip, archive, info)
        if ".." in path.parts or path.is_absolute():
            path = PurePosixPath(*(part for part in path.parts if part not in ("..", "/")))
            load = functools.partial(_unreadable, "its path leads out of the zip")
        elif info.is_dir():
            load = None
        if not path.parts:
            continue
        try:
            when = datetime.datetime(*info.date_time, tzinfo=zone).timestamp()
        except (ValueError, OverflowError):
            when = 0.0
        yield path, load, when


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Contents:
    if info.file_size > _LARGEST:
        return f"has more than {_LARGEST} bytes"
    try:
        with archive.open(info) as file:
            return file.read(_LARGEST)
    except Exception as error:  # whatever a decompressor says of damaged data
        return _unreadable(error)


# ---------------------------------------------------------------------------------------------
# A notebook


def read(file: File) -> NotebookNode:
    """Read a notebook as it may come back: other line ends, a byte-order mark, older formats.

    Raises:
        ValueError: when it is no notebook.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of copied cells that have one number
            notebook = nbformat.reads(_with_metadata(file.data), as_version=4)
        if len(notebook.cells) > _MOST_CELLS:
            raise ValueError(f"it has more than {_MOST_CELLS} cells")
        for cell in notebook.cells:
            source = "".join(cell.source).replace("\r\n", "\n").replace("\r", "\n")
            cell.source = source.encode("utf-8", "replace").decode()
            cell.cell_type = str(cell.cell_type)
            if not isinstance(cell.get("metadata"), dict):
                cell.metadata = {}
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        if sum(map(len, code)) > _MOST_CODE:
            raise ValueError(f"it has more than {_MOST_CODE} characters of code")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()[:200]
        raise ValueError(f"{file.name} is no notebook that can be read: {reason}") from None
    return notebook


def _with_metadata(data: bytes) -> str:
    """A notebook's JSON, with empty metadata where an editor has left them out."""
    if data.count(b"{") > _MOST_OBJECTS:
        raise ValueError(f"it has more than {_MOST_OBJECTS} objects")
    text = data.decode(json.detect_encoding(data), errors="replace")
    notebook = json.loads(text.lstrip("\ufeff"))
    if not isinstance(notebook, dict) or not notebook.keys() & {"cells", "worksheets"}:
        raise ValueError("its JSON is that of something else")
    notebook.setdefault("nbformat", 4 if "cells" in notebook else 3)
    notebook.setdefault("nbformat_minor", 5 if "cells" in notebook else 0)
    for part_ in (notebook, *notebook.get("cells", ())):
        if not isinstance(part_.get("metadata"), dict):
            part_["metadata"] = {}
        if part_ is not notebook and part_.get("source") is None:
            part_["source"] = ""
    return json.dumps(notebook)


@dataclass
class Found:
    """What is in a notebook.

    Attributes:
        cells: (name, source) of the code to run.
        answers: the text of each written answer.
        images: those that were pasted into an answer or drawn beside it, as data of a page, and
            figures of plotly as their description; of what cannot be shown, which it is.
        definitions: other texts, in which macros for formulas are defined.
        remarks: on cells that are missing or were changed.
        n_known: how many of the master's cells it has.
        n_filled: how many of the student's cells are filled in.
    """

    cells: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    images: dict[str, list[str]] = field(default_factory=dict)
    definitions: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    n_known: int = 0
    n_filled: int = 0


def part(notebook: NotebookNode, assignment: Assignment) -> Found:
    """Sort the cells of a notebook, wherever they stand and whatever an editor made of them.

    A cell is known by its grade_id; without one by its first line, or by the function that it
    defines. All code of the student runs, in order; a cell nobody has filled in is left out when
    another one holds its functions. An answer in words is what stands between its heading and the
    next cell of the master, or was typed below its question, also as comments or a text in code.
    Where there is none, it is all that the student has written elsewhere: whether that is one, a
    person sees.
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
    asks = {text: question for question, text in assignment.asked.items()}
    answers: dict[str, list[str]] = {question: [] for question in assignment.written}

    def answer(question: str, text: str, images: Iterable[str] = ()) -> None:
        """Add to a written answer, unless it is one that nobody has begun."""
        if text.strip() not in ("", ANSWER):
            answers[question].append(text)
            found.images.setdefault(question, []).extend(images)

    elsewhere: list[tuple[str, list[str]]] = []
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
            if name and not question:
                source, is_only_more = _typed(source, wanted[name])
                question = asks.get(name, "") if is_only_more else ""
            if question:
                answer(question, source, _pasted(cell))
                continue
            if not name and _DEFINES_MACROS.search(source):
                found.definitions.append(source)
            if source.strip():
                elsewhere.append((source, _pasted(cell)))
            continue
        if zone:
            found.images.setdefault(zone, []).extend(_saved_pictures(cell))
        if name in assignment.written or (zone and not name):
            words = _words(source)
            if words is None and (name or _writes(source) >= _FEW_WORDS):
                answer(name or zone, _fenced(source))
            elif words is not None and not _defines(source) & assignment.functions:
                answer(name or zone, words)
                continue
        elif not role.get("locked") and (
            _writes(source) - _writes(wanted.get(name, "")) >= _MANY_WORDS
        ):
            elsewhere.append((_words(source) or _fenced(source), []))
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
    found.n_filled = len(defined & assignment.functions) + sum(map(bool, answers.values()))
    for question in (q for q, texts in answers.items() if not texts):
        found.remarks.append(f"{question}: nothing found")
        if elsewhere:
            found.remarks[-1] += " in its place; shown is what stands elsewhere"
            answer(question, ELSEWHERE)
        for text, images in elsewhere:
            answer(question, text, images)
    found.answers = {question: "\n\n".join(texts) for question, texts in answers.items() if texts}
    return found


def _typed(source: str, original: str) -> tuple[str, bool]:
    """What a text of the master's has beyond its own lines, and whether it lacks none of these."""
    before, after = (text.rstrip().split("\n") for text in (original, source))
    if len(after) > 2_000:  # a comparison would take for ever
        return source, False
    changes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    more = [line for tag, _, _, a, b in changes if tag != "equal" for line in after[a:b]]
    return "\n".join(more).strip(), all(tag in ("equal", "insert") for tag, *_ in changes)


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


@functools.lru_cache(maxsize=2 * _MOST_CELLS)  # asked several times, and for each assignment
def _defines(source: str) -> frozenset[str]:
    """The names that a cell gives to functions and values, also where it does not parse."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        names = re.findall(r"^(?:async\s+)?(?:def\s+)?(\w+)\s*(?:\(|=(?!=))", source, re.M)
        return frozenset(names)
    found: set[str] = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            targets = [t for target in node.targets for t in ast.walk(target)]
            found.update(t.id for t in targets if isinstance(t, ast.Name))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(alias.asname or alias.name for alias in node.names)
    return frozenset(found)


# Lines of IPython's that Python does not know; its own parser takes time with each for the whole.
_COMMANDS = re.compile(r"^([ \t]*(?:\w[\w, \t]*=[ \t]*)?)(?:[%!?].*|[\w.]+\?\??[ \t]*)$", re.M)
_TEXT_IN_F = getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)  # since Python 3.12
_SHOW = ("display", "HTML", "Latex", "Markdown", "Math")


def _words(source: str) -> str | None:
    """What stands in a cell of code that has no code in it, as where its kind was changed."""
    lines = [line.strip() for line in source.split("\n") if line.strip()]
    if lines and all(line.startswith("#") for line in lines):
        return "\n".join(re.sub(r"^\s*# ?", "", line) for line in source.split("\n"))
    if lines and all(line.startswith(("- ", "* ", "+ ")) for line in lines):
        return source  # a list, that Python would take for signs
    if lines and re.fullmatch(r"%%(markdown|latex|html)\b.*", lines[0], re.I):
        return source.strip().partition("\n")[2]
    if lines and lines[0].startswith("%%"):
        return None
    try:
        body = ast.parse(_COMMANDS.sub(r"\1None", source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    body = [node for node in body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    texts = [_shown(node.value) if isinstance(node, ast.Expr) else None for node in body]
    known = [text for text in texts if text is not None]
    return "\n\n".join(known) if known and len(known) == len(body) else None


_FEW_WORDS, _MANY_WORDS = 8, 25  # of comments and texts in code, below a question and elsewhere


@functools.lru_cache(maxsize=2 * _MOST_CELLS)
def _writes(source: str) -> int:
    """How many words of a person's stand in code: in comments, docstrings and other texts."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        text = source  # it may be nothing but words
    else:
        kinds = (tokenize.COMMENT, tokenize.STRING, _TEXT_IN_F)
        text = " ".join(token.string for token in tokens if token.type in kinds)
    return len(re.findall(r"[^\W\d_]{2,}", text))


def _fenced(source: str) -> str:
    """Code as Markdown shows it, whatever marks of Markdown's stand in it."""
    marks = "`" * max([3, *(1 + len(run) for run in re.findall("`{3,}", source))])
    return f"{marks}\n{source}\n{marks}"


def _shown(value: ast.expr) -> str | None:
    """The text of a text, or of a call that does nothing but show one."""
    if isinstance(value, ast.Constant):
        return value.value if isinstance(value.value, str) else None
    if isinstance(value, ast.Call) and len(value.args) == 1 and not value.keywords:
        name = ast.unparse(value.func).rpartition(".")[2]
        return _shown(value.args[0]) if name in _SHOW else None
    return None


# ---------------------------------------------------------------------------------------------
# Pictures

_DEFINES_MACROS = re.compile(r"\\(?:(?:re)?new|provide)command|\\def\b|\\DeclareMathOperator")
_PLOTLY = "application/vnd.plotly.v1+json"


def _pasted(cell: Any) -> list[str]:
    """The attachments of a cell, in the order in which its text shows them."""
    attachments = cell.get("attachments")
    attachments = attachments if isinstance(attachments, dict) else {}
    shown = re.findall(r"attachment:([^)\s\"']+)", cell.source)
    shown = [name if name in attachments else urllib.parse.unquote(name) for name in shown]
    names = [name for name in shown if name in attachments]
    names += [name for name in attachments if name not in names]
    return [_picture(attachments[name], str(name)) for name in names]


def _saved_pictures(cell: Any) -> list[str]:
    """The pictures among the outputs of a cell, as the notebook was saved."""
    outputs = cell.get("outputs")
    outputs = outputs if isinstance(outputs, list) else []
    bundles = [out.get("data") for out in outputs if isinstance(out, dict)]
    return [
        _picture(bundle, "an output")
        for bundle in bundles
        if isinstance(bundle, dict) and any(_is_picture(kind, bundle[kind]) for kind in bundle)
    ]


def _is_picture(kind: str, data: Any) -> bool:
    """Whether an output is more than words and numbers."""
    if kind == "text/html":
        return bool(re.search(r"<(script|img|svg|canvas|iframe|video)\b", str(data), re.I))
    return kind.startswith(("image/", "video/", "application/vnd.", "application/pdf"))


def _picture(bundle: Any, name: str) -> str:
    """A picture as data of a page, in the first of its forms that a page can show."""
    bundle = bundle if isinstance(bundle, dict) else {}
    for kind in _IMAGES:
        data = bundle.get(kind)
        if isinstance(data, str) and re.fullmatch(r"[\w+/=\s]+", data):
            return f"data:{kind};base64,{data}"
    for kind in ("image/svg+xml", _PLOTLY):
        data = bundle.get(kind)
        if isinstance(data, list) and kind != _PLOTLY:
            data = "".join(map(str, data))
        if data and isinstance(data, dict if kind == _PLOTLY else str):
            try:
                text = data if isinstance(data, str) else json.dumps(data)
            except RecursionError:
                continue
            packed = base64.b64encode(text.encode("utf-8", "replace")).decode()
            return f"data:{kind};base64,{packed}"
    return f"not shown: {name} ({', '.join(map(str, bundle)) or 'empty'})"
