"""Pages with the images of MNIST, and pages that had to do without."""

from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient

import originals
from tests.site.built_site import SITE
from vaebook import datasets, figures

CHAPTERS = originals.ROOT / "chapters"
ASKING = [path for path in sorted(CHAPTERS.glob("*.ipynb")) if originals.asked(path)]
SMALL = CHAPTERS / "15_anchors.ipynb"


def found(title: str) -> str:
    """Return where a set lay when the pages were built, or "missing"."""
    for line in (SITE.parent / "data").read_text(encoding="utf-8").splitlines():
        name, _, place = line.partition(": ")
        if name == title:
            return place
    raise AssertionError(f"the build does not say where {title} was")


def page_of(*images: torch.Tensor) -> str:
    """Return a page with a grid of images."""
    html = figures.image_grid(torch.cat(images), columns=9, alt="Images.")._repr_html_()
    assert html is not None
    return html


def test_several_chapters_ask_for_images() -> None:
    assert len(ASKING) >= 5
    assert SMALL in ASKING


@pytest.mark.parametrize("path", ASKING, ids=lambda p: p.stem)
def test_a_page_has_the_note_where_it_was_built_without_mnist_and_only_there(path: Path) -> None:
    page = (SITE / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    assert page.count(originals.NOTE) == (found("MNIST") == "missing")


def test_the_pages_show_the_images_that_were_there(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [found(title) for title in originals.LOADS]
    if "missing" in places:
        pytest.skip("the pages were built without MNIST or Fashion-MNIST")
    # Both sets lie below one folder, wherever that is.
    monkeypatch.setenv("VAEBOOK_DATA", str(Path(places[0]).parents[1]))
    assert originals.faults(SITE) == []


def test_images_are_found_in_a_grid_among_others_whatever_its_size() -> None:
    digits = datasets.digits().images
    known = {image.numpy().tobytes() for image in (digits * 255).round().byte()}
    for n in (1, 7, 40):
        seen = originals.shown(page_of(digits[:n], torch.rand(n, 1, 28, 28)))
        assert len(seen & known) == n
        assert not originals.shown(page_of(1 - digits[:n])) & known


@pytest.mark.slow
def test_a_chapter_runs_without_mnist_and_leaves_the_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAEBOOK_DATA", raising=False)
    monkeypatch.setenv("VAEBOOK_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    notebook = nbformat.read(SMALL, as_version=4)
    resources = {"metadata": {"path": str(CHAPTERS)}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "stream"
                and output.name == "stderr"]  # fmt: skip
    html = "\n".join(output.get("data", {}).get("text/html", "") for output in outputs)
    assert html.count(originals.NOTE) == 1
    known = {image.numpy().tobytes() for image in (datasets.digits().images * 255).round().byte()}
    assert originals.shown(html) & known
