"""Chapters are executed when what they read has changed, and never longer than they are wanted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

import execute

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
TOOLS = Path(__file__).resolve().parents[2] / "tools"


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


def test_who_ends_an_execution_ends_the_chapters_that_wait_too(
    chapter: Callable[..., Path], tmp_path: Path
) -> None:
    code = "import time\nfrom pathlib import Path\nPath('{0}.ran').touch()\ntime.sleep(90)"
    paths = [str(chapter(code.format(name), name)) for name in ("first", "second")]
    # A copy, whose root is the folder.
    (tmp_path / "tools").mkdir()
    script = tmp_path / "tools" / "execute.py"
    script.write_text((TOOLS / "execute.py").read_text(encoding="utf-8"), encoding="utf-8")
    process = subprocess.Popen([sys.executable, str(script), "--jobs", "1", *paths])
    deadline = time.monotonic() + 80
    while not list(tmp_path.glob("*.ran")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 130
    assert len(list(tmp_path.glob("*.ran"))) == 1
