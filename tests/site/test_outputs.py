"""What the book's execution shows is what the notebooks keep, which their readers compare."""

from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache

import execute

CHAPTERS = sorted((execute.ROOT / "chapters").glob("*.ipynb"))


def shown(cell: nbformat.NotebookNode) -> dict[str, str]:
    """The text that a cell has written to each stream, in however many parts it came."""
    texts: dict[str, str] = {}
    for output in cell.outputs:
        texts[output.name] = texts.get(output.name, "") + output.text
    return texts


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_what_a_chapter_keeps_is_what_it_shows_when_it_is_executed(path: Path) -> None:
    chapter = nbformat.read(path, as_version=4)
    cache, known = get_cache(str(execute.CACHE)), execute.stored(execute.STATE)
    assert execute.is_current(chapter, known.get(path.stem, {}), cache), (
        "not executed as it stands: remove _build/html/index.html, and make book"
    )

    _, executed = cache.merge_match_into_notebook(chapter)
    cells = [
        (kept, run)
        for kept, run in zip(chapter.cells, executed.cells, strict=True)
        if kept.cell_type == "code"
    ]
    compared = [pair for pair in cells if "keep_output" in pair[0].metadata.get("tags", [])]

    assert any(run.outputs for kept, run in cells if not kept.outputs), "it was not executed"
    assert compared
    for kept, run in compared:
        assert shown(kept) == shown(run) != {}
