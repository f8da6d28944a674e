"""The figures of a page, saved as pictures."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import save_figures
from tests.site.built_site import SITE
from tests.site.conftest import NewPage
from vaebook.figures import schematics

PATH = "chapters/09_pcn"  # plots, and a live figure


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def entries(new_page: NewPage, base: str, folder: Path) -> list[save_figures.Entry]:
    page = new_page(viewport=save_figures.WINDOW, device_scale_factor=2)
    page.set_default_timeout(90_000)  # a busy machine takes its time
    found = save_figures.saved(page, SITE, base, PATH, folder)
    # The page's bar would lie over a figure that is as high as the window.
    assert page.locator(".bd-header-article").count() == 1
    assert page.locator(".bd-header-article:visible").count() == 0
    page.close()
    return found


def test_each_figure_of_the_page_is_listed_with_its_words(
    entries: list[save_figures.Entry],
) -> None:
    page = (SITE / f"{PATH}.html").read_text(encoding="utf-8")
    labels = [entry.label for entry in entries]
    assert labels
    assert len(labels) == len(set(labels)) == page.count("<figure ")
    for entry in entries:
        assert entry.number.startswith("Fig. ")
        assert entry.caption[-1] not in "#¶"
        assert len(entry.alt) > 20
        assert f'id="{entry.label}"' in page


def test_each_figure_is_a_picture_that_shows_something(
    entries: list[save_figures.Entry], folder: Path
) -> None:
    for entry in entries:
        picture = Image.open(folder / f"{entry.label}.png").convert("RGB")
        assert min(picture.size) > 300
        shades = np.unique(np.asarray(picture.convert("L")))
        assert len(shades) > 8, entry.label
        assert picture.getpixel((1, 1)) == (255, 255, 255)  # light, on white


def test_what_is_drawn_with_lines_is_an_svg_too(
    entries: list[save_figures.Entry], folder: Path
) -> None:
    drawn = [entry for entry in entries if ".svg" in entry.files]
    assert len(drawn) > 5
    assert "fig-pcn-live" not in [entry.label for entry in drawn]
    for entry in drawn:
        root = ElementTree.parse(folder / f"{entry.label}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len([*root.iter()]) > 10
        assert "Play" not in [element.text for element in root.iter()]


def test_the_gallery_shows_them_all(entries: list[save_figures.Entry], folder: Path) -> None:
    page = save_figures.gallery(entries)
    for entry in entries:
        assert f'src="{entry.label}.png"' in page
        assert all((folder / name).is_file() for name in entry.files.split())


def test_a_schematic_is_an_svg_of_its_own(new_page: NewPage, tmp_path: Path) -> None:
    page = new_page(device_scale_factor=2)
    page.set_content(f'<figure id="fig-a">{schematics.bottleneck()._repr_html_()}</figure>')
    names = save_figures.save(page, "fig-a", tmp_path)
    page.close()
    assert names == ["fig-a.png", "fig-a.svg"]
    assert ElementTree.parse(tmp_path / "fig-a.svg").getroot().get("viewBox")
