"""Save every figure of the built site as a picture, with a list of them.

    python tools/save_figures.py _build/html _build/figures

Each figure becomes a PNG, and an SVG where it is drawn with lines, under its label, in dark ink on
white; a live figure is caught as it opens. `index.csv` and `index.html` have their captions, with
formulas in TeX, and their descriptions.
"""

import base64
import csv
import html
import shutil
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Page, ViewportSize

import print_pdf
import toc

SHARPNESS = 2  # pixels of a PNG per CSS pixel
WINDOW: ViewportSize = {"width": 1280, "height": 1600}  # which no figure is higher than
# The bar that stays on top of the page, and what is said of a picture that stands for widgets.
ALONE = ".bd-header-article, .vaebook-kernel > p { display: none !important; }"
PLOT = """async (box, scale) => {
  const { data, layout, clientWidth: width, clientHeight: height } =
    box.querySelector(".vaebook-plot-canvas");
  const figure = { data, layout: { ...layout, paper_bgcolor: "#fff", updatemenus: [] } };
  const as = (format) => window.Plotly.toImage(figure, { format, width, height, scale });
  return [await as("png"), await as("svg")];
}"""
SCHEMATIC = """svg => {
  const copy = svg.cloneNode(true);
  const { color, fontFamily } = getComputedStyle(svg);
  copy.removeAttribute("style");
  Object.assign(copy.style, { background: "#fff", color, fontFamily });
  return new XMLSerializer().serializeToString(copy);
}"""


@dataclass
class Entry:
    """A line of the list.

    Attributes:
        label: of the figure, by which the text refers to it.
        page: where it is, with its place.
        number: as the page has it.
        caption: with formulas in TeX.
        alt: its description.
        files: that were saved of it.
    """

    label: str
    page: str
    number: str
    caption: str
    alt: str
    files: str


def described(figure: Tag, page: str) -> Entry:
    """Return the line of a figure, as yet without files."""
    label = str(figure["id"])
    for extra in figure.select(".headerlink"):
        extra.decompose()
    number, caption = (
        " ".join(" ".join(part.get_text() for part in figure.select(f".caption-{kind}")).split())
        for kind in ("number", "text")
    )
    names = [e.get("aria-label") or e.get("alt") for e in figure.select("[aria-label], img[alt]")]
    return Entry(label, f"{page}.html#{label}", number, caption, str(next(iter(names), "")), "")


def save(page: Page, label: str, folder: Path) -> list[str]:
    """Save a figure of the open page, and return the names of its files."""
    figure = page.locator(f'figure[id="{label}"]')
    png, svg = folder / f"{label}.png", folder / f"{label}.svg"
    figure.scroll_into_view_if_needed()
    plot, schematic = figure.locator(".vaebook-plot"), figure.locator(".vaebook-schematic svg")
    if plot.count() == 1:
        plot.evaluate(print_pdf.DRAWN)
        pixels, lines = plot.evaluate(PLOT, SHARPNESS)
        png.write_bytes(base64.b64decode(pixels.partition(",")[2]))
        svg.write_text(unquote(lines.partition(",")[2]), encoding="utf-8")
        return [png.name, svg.name]
    if schematic.count() == 1:
        schematic.screenshot(path=png)
        svg.write_text(schematic.evaluate(SCHEMATIC), encoding="utf-8")
        return [png.name, svg.name]
    shown, before = figure.locator("xpath=./*[not(self::figcaption)]").first, b""
    for _ in range(20):  # what lives has no word for having drawn itself
        page.wait_for_timeout(500)
        if (now := shown.screenshot()) == before:
            break
        before = now
    png.write_bytes(now)
    return [png.name]


def gallery(entries: list[Entry]) -> str:
    """Return the page that shows all of them."""
    rows = []
    for entry in entries:
        links = " ".join(f'<a href="{name}">{name}</a>' for name in entry.files.split())
        rows.append(
            f'<figure id="{entry.label}"><img src="{entry.label}.png" loading="lazy" '
            f'alt="{html.escape(entry.alt)}"><figcaption>{html.escape(entry.number)} '
            f"{html.escape(entry.caption)}<br>{links}</figcaption></figure>"
        )
    title = html.escape(toc.title())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: figures</title>'
        "<style>body { font-family: system-ui, sans-serif; } main { display: grid; gap: 2rem; "
        "grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); } figure { margin: 0; } "
        "img { max-width: 100%; }</style>"
        f"<h1>{title}: figures</h1><main>{''.join(rows)}</main></html>\n"
    )


def saved(page: Page, site: Path, base: str, path: str, folder: Path) -> list[Entry]:
    """Save the figures of one page of the site, and return their lines."""
    text = (site / f"{path}.html").read_text(encoding="utf-8")
    article = BeautifulSoup(text, "html.parser").select("article.bd-article")[0]
    entries = [described(figure, path) for figure in article.select("figure[id]")]
    if entries:
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.goto(f"{base}{path}.html")
        page.evaluate(print_pdf.UNFOLD)
        page.add_style_tag(content=ALONE)
    for entry in entries:
        entry.files = " ".join(save(page, entry.label, folder))
    return entries


def main(site: str, target: str) -> int:
    """Save all figures and their list, and say how many there are."""
    folder = Path(target)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entries: list[Entry] = []
    with print_pdf.opened(site) as (browser, base):
        page = browser.new_page(viewport=WINDOW, device_scale_factor=SHARPNESS)
        page.set_default_timeout(print_pdf.PATIENCE)
        for path in toc.listed():
            found = saved(page, Path(site), base, path, folder)
            entries += found
            if found:
                print(f"{path}: {len(found)} figures", flush=True)
    with open(folder / "index.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Entry)])
        writer.writeheader()
        writer.writerows(map(asdict, entries))
    (folder / "index.html").write_text(gallery(entries), encoding="utf-8")
    print(f"{folder}: {len(entries)} figures")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
