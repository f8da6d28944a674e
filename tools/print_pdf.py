"""Print the built site into one PDF with bookmarks, by a headless Chromium.

    python tools/print_pdf.py _build/html _build/latent-space.pdf

Each page is printed as the browser shows it, with its formulas typeset and its figures drawn, at
the width of A4. Links between the pages lead to the pages of the PDF. Solutions are unfolded,
the folded code of figures is left out. Sphinx's own ways to a PDF or an EPUB lose the figures or
the formulas, see the appendix on running the book.
"""

import functools
import http.server
import io
import re
import shutil
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from playwright.sync_api import Page, sync_playwright
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject

ROOT = Path(__file__).resolve().parent.parent
MARGIN = "16mm"
WIDTH = 672  # CSS pixels between the margins of A4
UNFOLD = """() => {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  document.querySelectorAll(".toggle-hidden > .toggle-button").forEach((b) => b.click());
}"""
DRAWN = """box => new Promise(done => {
  const look = () => box.dataset.drawn || box.querySelector(".vaebook-plot-error")
    ? done(true) : setTimeout(look, 20);
  look();
})"""
FOOTER = (
    '<div style="font: 8px sans-serif; width: 100%; text-align: center">'
    '<span class="title"></span> · <span class="pageNumber"></span></div>'
)
STYLE = """
  .bd-header, .bd-sidebar-primary, .bd-sidebar-secondary, .prev-next-footer, .bd-footer-content,
  .bd-footer, .copybtn, .toggle-button, #jb-print-docs-body { display: none !important }
  #jb-print-toc { display: none !important }
  details.above-input { display: none !important }
  .vaebook-plot, figure, table, .math { break-inside: avoid }
  pre { white-space: pre-wrap }
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def listed() -> list[str]:
    """The pages in reading order, from the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = toc.get("parts", [{"chapters": toc.get("chapters", [])}])
    chapters = [chapter for part in parts for chapter in part["chapters"]]
    pages = [page for chapter in chapters for page in (chapter, *chapter.get("sections", []))]
    return [toc["root"], *(page["file"] for page in pages)]


def printed(page: Page, address: str) -> tuple[str, bytes]:
    """The title of a page, and its PDF."""
    page.goto(address)
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => true)")
    page.add_style_tag(content=STYLE)
    page.evaluate(UNFOLD)
    for box in page.query_selector_all(".vaebook-plot"):
        box.scroll_into_view_if_needed()
        box.evaluate(DRAWN)
    title = page.locator("h1").first.inner_text().removesuffix("#").strip()
    pdf = page.pdf(
        format="A4",
        margin={"top": MARGIN, "right": MARGIN, "bottom": MARGIN, "left": MARGIN},
        print_background=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
    )
    return title, pdf


def bind(parts: list[tuple[str, str, bytes]], base: str) -> PdfWriter:
    """Put (path, title, PDF) together: bookmarks, and links between pages made internal."""
    writer, first = PdfWriter(), {}
    for path, title, pdf in parts:
        first[path] = len(writer.pages)
        writer.append(io.BytesIO(pdf), outline_item=title, import_outline=False)
    for page in writer.pages:
        for annotation in (a.get_object() for a in page.get("/Annots", [])):
            action = annotation.get("/A")
            if not action or not str(action.get("/URI", "")).startswith(base):
                continue
            target = re.sub(r"\.html$", "", urlsplit(str(action["/URI"])).path.lstrip("/"))
            place = writer.pages[first.get(target, 0)].indirect_reference
            annotation[NameObject("/A")] = DictionaryObject(
                {
                    NameObject("/S"): NameObject("/GoTo"),
                    NameObject("/D"): ArrayObject([place, NameObject("/Fit")]),
                }
            )
    return writer


def main(site: str, target: str) -> int:
    """Print, bind and say how long it became."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        print("no Chromium found (apt-get install chromium): no PDF was made", file=sys.stderr)
        return 1
    handler = functools.partial(_Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}/"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium)
            page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
            page.emulate_media(media="print", color_scheme="light")
            parts = []
            for path in listed():
                parts.append((path, *printed(page, f"{base}{path}.html")))
                print(f"printed {path}", flush=True)
            browser.close()
        server.shutdown()
    book = bind(parts, base)
    book.add_metadata({"/Title": yaml.safe_load((ROOT / "_config.yml").read_text())["title"]})
    book.write(target)
    print(f"{target}: {len(book.pages)} pages, {Path(target).stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
