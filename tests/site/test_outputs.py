"""What the book's execution shows is what the notebooks keep, which their readers compare."""

from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXECUTED = ROOT / "_build" / "jupyter_execute"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


def shown(cell: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """The texts that a cell has written, and where to."""
    return [(output.name, output.text) for output in cell.outputs]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_what_a_chapter_keeps_is_what_it_shows_when_it_is_executed(path: Path) -> None:
    kept = nbformat.read(path, as_version=4).cells
    executed = nbformat.read(EXECUTED / "chapters" / path.name, as_version=4).cells
    assert [cell.source for cell in kept] == [cell.source for cell in executed]
    compared = [
        (one, other)
        for one, other in zip(kept, executed, strict=True)
        if "keep_output" in one.metadata.get("tags", [])
    ]
    assert compared
    for one, other in compared:
        assert shown(one) == shown(other) != []
