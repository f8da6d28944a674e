"""Print the built site into one PDF with bookmarks, by a headless Chromium.

    python tools/print_pdf.py _build/html _build/latent-space.pdf

Each page is printed as the browser shows it, with its formulas typeset and its figures drawn, in
the style of `_static/vaebook-print.css`. Its headings are the bookmarks, its sheets are numbered
through the book, and links between the pages lead to their place in the PDF. Solutions are
unfolded, the folded code of figures is left out. Sphinx's own ways to a PDF or an EPUB lose the
figures or the formulas, see the appendix on running the book.
"""

import functools
import http.server
import io
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    Fit,
    FloatObject,
    NameObject,
    NullObject,
    TextStringObject,
)

import toc

SCALE = 0.85  # 16 pixels are a little over 10 points then
MARGIN = 16  # mm
WIDTH = round((210 - 2 * MARGIN) / 25.4 * 96 / SCALE)  # CSS pixels between the margins of A4
PATIENCE = 180_000  # milliseconds: a busy machine takes its time
UNFOLD = """() => {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  document.querySelectorAll(".toggle-button-hidden").forEach((b) => b.click());
}"""
# Chromium notes the places that a page's own links lead to, even links that are not shown.
PLACES = """() => {
  const links = document.createElement("div");
  links.hidden = true;
  for (const { id } of document.querySelectorAll(".bd-article [id]:not(svg *)")) {
    links.append(Object.assign(document.createElement("a"), { href: `#${id}` }));
  }
  document.body.append(links);
}"""
DRAWN = """box => new Promise(done => {
  const look = () => box.dataset.drawn || box.querySelector(".vaebook-plot-error")
    ? done(true) : setTimeout(look, 20);
  look();
})"""
SHEET = """
@page {{ margin: {margin}mm; @bottom-center {{
  content: {title} " · " counter(page); font: 8pt system-ui, sans-serif; color: #555;
}} }}
@page :first {{ counter-set: page {number}; }}
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def opened(site: str) -> Iterator[tuple[Browser, str]]:
    """Serve a site on loopback, and open a headless Chromium.

    Raises:
        SystemExit: when there is no Chromium.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        sys.exit("no Chromium found (apt-get install chromium): the pages can't be drawn")
    handler = functools.partial(_Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium)
            yield browser, f"http://127.0.0.1:{server.server_port}/"
            browser.close()
        server.shutdown()


def visit(page: Page, address: str) -> None:
    """Go to a page, and wait until its formulas are typeset and its figures drawn."""
    page.goto(address)
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => true)")
    page.evaluate(UNFOLD)
    for box in page.query_selector_all(".vaebook-plot"):
        box.scroll_into_view_if_needed()
        box.evaluate(DRAWN)


def printed(page: Page, address: str, number: int = 1) -> bytes:
    """Return the PDF of a page, whose first sheet has a number."""
    page.emulate_media(media="print", color_scheme="light")
    visit(page, address)
    page.evaluate(PLACES)
    title = page.locator("h1").first.evaluate("h1 => h1.firstChild.textContent")
    style = SHEET.format(margin=MARGIN, title=json.dumps(title), number=number)
    page.add_style_tag(content=style)
    return page.pdf(format="A4", scale=SCALE, print_background=True, outline=True, tagged=True)


def bookmarks(
    writer: PdfWriter, part: PdfReader, items: list[Any], first: int, above: Any
) -> None:
    """Add the headings of a part, which begins at a page of the book, under a bookmark."""
    last = above
    for item in items:
        if isinstance(item, list):
            bookmarks(writer, part, item, first, last)
        else:
            page = first + (part.get_destination_page_number(item) or 0)
            place = Fit.xyz(left=item.left, top=item.top)
            last = writer.add_outline_item(
                title=str(item.title), page_number=page, parent=above, fit=place
            )


def links(document: PdfReader | PdfWriter) -> Iterator[Any]:
    """Yield what can be clicked on the sheets of a document."""
    for sheet in document.pages:
        yield from (annotation.get_object() for annotation in sheet.get("/Annots", []))


def bind(parts: list[tuple[str, bytes]], base: str) -> PdfWriter:
    """Put the PDFs of pages (path, PDF) together, with bookmarks and links that stay inside."""
    writer = PdfWriter()
    places: dict[str, tuple[int, float]] = {}
    for path, pdf in parts:
        part, first = PdfReader(io.BytesIO(pdf)), len(writer.pages)
        address = f"{base}{path}.html"
        places[address] = (first, 842)
        for name, place in part.named_destinations.items():
            page = first + (part.get_destination_page_number(place) or 0)
            places[f"{address}#{name.removeprefix('/')}"] = (page, float(place.top or 842))
        for link in links(part):
            if "/Dest" in link:  # the same name has other places in other parts
                name = str(link.pop("/Dest")).removeprefix("/")
                action = {"/S": NameObject("/URI"), "/URI": TextStringObject(f"{address}#{name}")}
                link[NameObject("/A")] = DictionaryObject(
                    {NameObject(key): value for key, value in action.items()}
                )
        writer.append(part, import_outline=False)
        bookmarks(writer, part, part.outline, first, None)
    for link in links(writer):
        target = str(link.get("/A", {}).get("/URI", ""))
        if target.startswith(base):
            del link["/A"]
            if found := places.get(unquote(target)) or places.get(urldefrag(target).url):
                page, top = found
                sheet = writer.pages[page].indirect_reference
                spot = [sheet, NameObject("/XYZ"), NullObject(), FloatObject(top), NullObject()]
                link[NameObject("/Dest")] = ArrayObject(spot)
    return writer


def main(site: str, target: str) -> int:
    """Print, bind and say how long it became."""
    parts: list[tuple[str, bytes]] = []
    sheets = 0
    with opened(site) as (browser, base):
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
        page.set_default_timeout(PATIENCE)
        for path in toc.listed():
            pdf = printed(page, f"{base}{path}.html", sheets + 1)
            parts.append((path, pdf))
            sheets += len(PdfReader(io.BytesIO(pdf)).pages)
            print(f"printed {path}", flush=True)
        book = bind(parts, base)
    book.add_metadata({"/Title": toc.title()})
    book.write(target)
    print(f"{target}: {sheets} pages, {Path(target).stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
