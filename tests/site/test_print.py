"""The PDF of the pages."""

import io

from playwright.sync_api import Browser

import print_pdf
from tests.site.built_site import SITE


def test_pages_print_with_formulas_and_links_that_stay_inside(browser: Browser, base: str) -> None:
    page = browser.new_page(viewport={"width": print_pdf.WIDTH, "height": 1000})
    names = ["intro", "chapters/errata"]
    parts = [(name, *print_pdf.printed(page, f"{base}{name}.html")) for name in names]
    page.close()
    book = print_pdf.bind(parts, base)
    file = io.BytesIO()
    book.write(file)
    assert base.encode() not in file.getvalue()
    assert [item.title for item in book.outline] == [title for _, title, _ in parts]
    text = "".join(sheet.extract_text() for sheet in book.pages)
    assert "\\mathcal" not in text
    assert "Hide code" not in text
    links = [a.get_object() for sheet in book.pages for a in sheet.get("/Annots", [])]
    assert any(link.get("/A", {}).get("/S") == "/GoTo" for link in links)


def test_every_listed_page_was_built() -> None:
    assert [name for name in print_pdf.listed() if not (SITE / f"{name}.html").is_file()] == []
