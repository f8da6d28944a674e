"""Chapters are executed when what they read has changed, and never longer than they are wanted."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

import build
import execute

pytestmark = pytest.mark.slow

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"


@pytest.fixture
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a chapter of one cell into a folder that stands for the book's."""
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(execute, "CACHE", tmp_path / "_build" / ".jupyter_cache")
    monkeypatch.setattr(execute, "STATE", tmp_path / "_build" / "chapters.json")
    monkeypatch.setattr(execute, "exit_on_signals", lambda: None)
    (tmp_path / "vaebook").mkdir()
    (tmp_path / "vaebook" / "table.json").write_text("1", encoding="utf-8")

    def write(code: str, name: str = "chapter") -> Path:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(code)],
            metadata={"kernelspec": KERNEL},
        )
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
        return tmp_path / f"{name}.ipynb"

    return write


def executed(path: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether a build executes a chapter."""
    assert execute.main(["--jobs", "1", str(path)]) == 0
    return "executed chapter" in capsys.readouterr().out


def test_a_chapter_is_executed_where_what_it_reads_has_changed_since(
    chapter: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = chapter(
        "from pathlib import Path\ntable = Path('vaebook/table.json')\n"
        "if table.read_text() == '2':\n    table.write_text('3')"
    )
    table = path.parent / "vaebook" / "table.json"
    assert executed(path, capsys)
    (path.parent / "vaebook" / "other.json").write_text("1", encoding="utf-8")
    assert not executed(path, capsys)
    table.write_text("2", encoding="utf-8")
    assert executed(path, capsys)
    assert executed(path, capsys)  # the last one has read 2, and 3 stands there now


def test_a_chapter_is_executed_where_cells_come_back_after_what_they_read_has_changed(
    chapter: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    read = "print(open('vaebook/table.json').read())"
    path = chapter(read)
    assert executed(path, capsys)
    (path.parent / "vaebook" / "table.json").write_text("2", encoding="utf-8")
    assert executed(chapter(f"{read}  # twice"), capsys)
    assert executed(chapter(read), capsys)
    assert not executed(path, capsys)


def test_a_chapter_is_executed_where_its_twin_has_been_since(
    chapter: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is kept of equal cells is one execution, whatever the chapters are called."""
    path, table = chapter("print(open('vaebook/table.json').read())"), "vaebook/table.json"
    assert executed(path, capsys)
    (path.parent / table).write_text("2", encoding="utf-8")
    execute.main(["--jobs", "1", str(shutil.copy(path, path.with_stem("twin")))])
    (path.parent / table).write_text("1", encoding="utf-8")
    assert executed(path, capsys)
    assert not executed(path, capsys)


def test_a_chapter_is_executed_where_a_kill_came_before_it_was_written_down(
    chapter: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path, table = chapter("print(open('vaebook/table.json').read())"), "vaebook/table.json"
    assert executed(path, capsys)
    before = execute.STATE.read_text(encoding="utf-8")
    (path.parent / table).write_text("2", encoding="utf-8")
    assert executed(path, capsys)
    execute.STATE.write_text(before, encoding="utf-8")
    (path.parent / table).write_text("1", encoding="utf-8")
    assert executed(path, capsys)
    assert not executed(path, capsys)


def test_a_chapter_is_not_executed_for_a_comment_or_a_docstring_of_a_module(
    chapter: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = chapter("exec(open('vaebook/half.py').read())")
    module = path.parent / "vaebook" / "half.py"

    def runs(source: str) -> bool:
        module.write_text(source, encoding="utf-8")
        return executed(path, capsys)

    assert runs("def half(x):\n    return x / 2\n")
    assert not runs('"""Halves."""\n\ndef half(x):\n    """Halve."""\n    return x / 2  # so\n')
    assert runs("def half(x):\n    return x / 3\n")


def test_a_record_that_a_kill_has_cut_or_a_cache_that_is_gone_costs_an_execution(
    chapter: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = chapter("1 + 1")
    assert executed(path, capsys)
    text = execute.STATE.read_text(encoding="utf-8")
    execute.STATE.write_text(text[: len(text) // 2], encoding="utf-8")
    assert executed(path, capsys)
    assert not executed(path, capsys)
    shutil.rmtree(execute.CACHE / "executed")
    assert executed(path, capsys)


def test_a_chapter_is_executed_where_what_runs_it_or_which_images_are_there_has_changed(
    chapter: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    path, one = chapter("1 + 1"), tmp_path / "one.py"
    shutil.copy(execute.ONE, one)
    monkeypatch.setattr(execute, "ONE", one)
    found = path.parent / "_build" / "data"
    found.parent.mkdir()
    found.write_text("MNIST: missing\n", encoding="utf-8")
    assert executed(path, capsys)
    assert not executed(path, capsys)
    found.write_text("MNIST: /somewhere\n", encoding="utf-8")
    assert executed(path, capsys)
    one.write_text(one.read_text(encoding="utf-8") + "\nEXTRA = 1\n", encoding="utf-8")
    assert executed(path, capsys)


# ---------------------------------------------------------------------------------------------
# Images before all else

PRETENDER = """#!/bin/sh
echo "offline=$VAEBOOK_OFFLINE quiet=$TQDM_DISABLE $*" >> log
case "$*" in
  "-m vaebook data"*) cat found; exit $(cat status);;
  tools/build.py*) mkdir -p _build/html; touch _build/html/index.html;;
esac
"""


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, list[str]]]:
    """Return a function that makes a book whose Python only writes down what it was asked."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PRETENDER)
    python.chmod(0o755)
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    tools = [path.relative_to(ROOT) for path in TOOLS.rglob("*.py")]
    for name in ("assets/vendor/plotly.min.js", ".venv/installed", "status", "found", *tools):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("VAEBOOK_OFFLINE", "TQDM_DISABLE", "MAKEFLAGS", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)

    def make(*words: str, found: str, status: int = 0) -> tuple[str, list[str]]:
        (tmp_path / "found").write_text(found)
        (tmp_path / "status").write_text(str(status))
        (tmp_path / "log").write_text("")
        command = ["make", "--no-print-directory", *words]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert bool(run.returncode) == bool(status), run.stderr
        return run.stdout, (tmp_path / "log").read_text().splitlines()

    return make


THERE = "MNIST: /a\nFashion-MNIST: /b\n"
NOT_THERE = "MNIST: missing\nFashion-MNIST: missing\n"
LOUD = "\033[31m== MNIST or Fashion-MNIST could not be had"


def test_a_build_fetches_the_images_first_and_then_asks_no_server(
    book: Callable[..., tuple[str, list[str]]],
) -> None:
    said, asked = book("book", found=THERE)
    assert asked[0] == "offline= quiet= -m vaebook data"
    assert asked[1].startswith("offline=1 quiet=1 tools/build.py")
    assert LOUD not in said
    _, asked = book("book", found=THERE)
    assert len(asked) == 1, "the same images: nothing is rendered again"


def test_what_has_been_graded_stays_when_what_was_built_is_removed(
    book: Callable[..., tuple[str, list[str]]], tmp_path: Path
) -> None:
    graded = ["grades/grades.csv", "grades/proofs/1_elbo.html", "course-b/grades.csv"]
    for name in (*graded, "html/index.html"):
        (tmp_path / "_build" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "_build" / name).touch()
    book("clean", found=THERE)
    left = (tmp_path / "_build").rglob("*.*")
    assert {str(path.relative_to(tmp_path / "_build")) for path in left} == set(graded)


def test_a_build_without_images_says_so_loudly_and_looks_again_next_time(
    book: Callable[..., tuple[str, list[str]]],
) -> None:
    said, asked = book("book", found=NOT_THERE)
    assert said.count(LOUD) == 1
    assert len(asked) == 2
    said, asked = book("book", found=NOT_THERE)
    assert said.count(LOUD) == 1
    assert len(asked) == 1
    said, asked = book("book", found=THERE)
    assert LOUD not in said
    assert "tools/build.py" in asked[1]


def test_a_build_only_looks_for_images_where_that_is_asked_for(
    book: Callable[..., tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, asked = book("book", "DATA=offline", found=NOT_THERE)
    assert asked[0].endswith("-m vaebook data --offline")
    monkeypatch.setenv("VAEBOOK_OFFLINE", "1")
    _, asked = book("book", found=NOT_THERE)
    assert asked[0].endswith("-m vaebook data --offline")
    monkeypatch.delenv("VAEBOOK_OFFLINE")
    monkeypatch.setenv("DATA", "/mnt/data")  # somebody's own
    _, asked = book("book", found=NOT_THERE)
    assert asked[0].endswith("-m vaebook data")


def test_the_site_is_checked_after_one_attempt_to_fetch(
    book: Callable[..., tuple[str, list[str]]],
) -> None:
    _, asked = book("site", found=NOT_THERE)
    data = [line.rpartition("data")[2] for line in asked if "vaebook data" in line]
    assert data == ["", " --offline"]


def test_a_build_stops_at_a_damaged_file(book: Callable[..., tuple[str, list[str]]]) -> None:
    _, asked = book("book", found="", status=2)
    assert len(asked) == 1


def test_who_ends_an_execution_ends_the_chapters_that_wait_too(
    chapter: Callable[..., Path], tmp_path: Path
) -> None:
    code = "import time\nfrom pathlib import Path\nPath('{0}.ran').touch()\ntime.sleep(90)"
    paths = [str(chapter(code.format(name), name)) for name in ("first", "second")]
    # A copy, whose root is the folder.
    script = tmp_path / "tools" / "execute.py"
    script.parent.mkdir()
    for name in (script.name, "execute_one.py"):
        shutil.copy(TOOLS / name, script.parent)
    process = subprocess.Popen([sys.executable, str(script), "--jobs", "1", *paths])
    deadline = time.monotonic() + 80
    while not list(tmp_path.glob("*.ran")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 130
    assert len(list(tmp_path.glob("*.ran"))) == 1


def test_one_chapter_is_rendered_without_the_others_and_apart_from_the_book(
    chapter: Callable[..., Path], tmp_path: Path
) -> None:
    first = chapter("print(6 * 7)", "01_first")
    second = chapter("open('second ran', 'w').close()", "02_second")
    (tmp_path / "_config.yml").write_text("title: A book\nexecute: {execute_notebooks: cache}\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters: [{file: 01_first}, {file: 02_second}]\n"
    )
    (tmp_path / "intro.md").write_text("# A book\n")
    (tmp_path / "requirements.txt").touch()
    # A copy, whose root is the folder, in a process of its own: Sphinx looks through all objects
    # of a process, and stumbles over what other tests have left behind.
    shutil.copytree(TOOLS, tmp_path / "tools")
    script = str(tmp_path / "tools" / "build.py")
    done = subprocess.run(
        [sys.executable, script, "--chapter", "01", str(first), str(second)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "The page is at _build/chapter/html/01_first.html" in done.stdout
    page = tmp_path / "_build" / "chapter" / "html" / "01_first.html"
    assert "42" in page.read_text(encoding="utf-8")
    assert not (tmp_path / "second ran").exists()
    assert not (tmp_path / "_build" / "html").exists()


@pytest.mark.parametrize("number", ["", "3", "one"])
def test_a_number_that_no_chapter_has_is_answered_by_those_that_there_are(number: str) -> None:
    with pytest.raises(SystemExit, match=f"(?s)N={number} is no chapter.*\n  N=10 .*10_b[.]ipynb"):
        build.main(["--chapter", number, "02_a.ipynb", "10_b.ipynb"])
