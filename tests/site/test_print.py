"""The PDF of the pages."""

import io
import re

import pytest
from pypdf import PdfReader

import print_pdf
import toc
from tests.site.built_site import SITE
from tests.site.conftest import NewPage

NAMES = ["intro", "chapters/running", "chapters/errata"]


@pytest.fixture(scope="module")
def book(new_page: NewPage, base: str) -> PdfReader:
    """Three pages, bound."""
    page = new_page(viewport={"width": print_pdf.WIDTH, "height": 1000})
    parts: list[tuple[str, bytes]] = []
    sheets = 0
    for name in NAMES:
        pdf = print_pdf.printed(page, f"{base}{name}.html", sheets + 1)
        parts.append((name, pdf))
        sheets += len(PdfReader(io.BytesIO(pdf)).pages)
    page.close()
    file = io.BytesIO()
    print_pdf.bind(parts, base).write(file)
    assert base.encode() not in file.getvalue()
    return PdfReader(file)


def test_sheets_are_numbered_through_the_book(book: PdfReader) -> None:
    for number, sheet in enumerate(book.pages, start=1):
        assert re.search(rf" · {number}\b", sheet.extract_text())


def test_bookmarks_are_the_headings_of_pages_and_sections(book: PdfReader) -> None:
    chapters = [item for item in book.outline if not isinstance(item, list)]
    assert len(chapters) == len(NAMES)
    assert all(isinstance(book.outline[2 * i + 1], list) for i in range(len(NAMES)))
    for item in [*chapters, *(i for i in book.outline[3] if not isinstance(i, list))]:
        sheet = book.pages[book.get_destination_page_number(item)]
        assert item.title.split()[0] in sheet.extract_text()


def test_a_link_between_pages_leads_to_its_place(book: PdfReader) -> None:
    places = [link["/Dest"] for link in print_pdf.links(book) if "/Dest" in link]
    sheets = [book.get_page_number(place[0].get_object()) for place in places]
    assert len(set(sheets)) > 1
    assert any(place[3] != 842 for place in places)


def test_paper_has_formulas_and_no_controls(book: PdfReader) -> None:
    text = "".join(sheet.extract_text() for sheet in book.pages)
    assert "\\mathcal" not in text
    for control in ("Hide code", "Report a fault", "Cite this page", "Copy"):
        assert control not in text


def test_what_is_higher_than_a_sheet_gets_narrower_and_buttons_stay_away(
    new_page: NewPage, base: str
) -> None:
    page = new_page(viewport={"width": print_pdf.WIDTH, "height": 1000})
    page.emulate_media(media="print", color_scheme="light")
    page.goto(f"{base}chapters/14_beta.html")
    page.evaluate(print_pdf.UNFOLD)
    for name in ("fig-beta-traversals", "fig-beta-slider-heatmap"):
        figure = page.locator(f"#{name}")
        box = figure.locator(".vaebook-plot")
        box.scroll_into_view_if_needed()
        box.evaluate(print_pdf.DRAWN)
        sheet = (297 - 2 * print_pdf.MARGIN) / 25.4 * 96 / print_pdf.SCALE
        assert figure.evaluate("figure => figure.offsetHeight") < sheet, name
    assert figure.locator(".updatemenu-container").count() == 1  # the film's
    assert figure.locator(".updatemenu-container:visible").count() == 0
    page.close()


def test_code_is_cut_with_its_frame_at_the_end_of_a_sheet(new_page: NewPage, base: str) -> None:
    page = new_page()
    page.emulate_media(media="print")
    page.goto(f"{base}chapters/09_pcn.html")
    kept = page.evaluate(
        """() => [...document.querySelectorAll("div.cell_input pre")].flatMap((pre) => {
          const found = [];
          for (let e = pre; e.localName !== "article"; e = e.parentElement) {
            const { breakInside, display, overflow } = getComputedStyle(e);
            if (breakInside !== "auto" || display === "flex" || overflow !== "visible") {
              found.push(`${e.className}: ${breakInside}, ${display}, ${overflow}`);
            }
          }
          return found;
        })"""
    )
    page.close()
    assert kept == []


def test_every_listed_page_was_built() -> None:
    assert [name for name in toc.listed() if not (SITE / f"{name}.html").is_file()] == []
