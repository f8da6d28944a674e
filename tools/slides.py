"""Make of each chapter of the built site a deck of slides, which opens from a disk.

    python tools/slides.py _build/html _build/slides

A deck holds what a lecturer would show: what the chapter teaches, the headings of its sections,
definitions and theorems, formulas with the sentence that leads to them, figures with their
captions, and the summary. All of it is the page's own markup, so live figures live.
"""

import copy
import html
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
from bs4 import BeautifulSoup, NavigableString, Tag

import toc

TEMPLATE = Path(__file__).with_name("slides.html")
SHARED = ("_static", "_images", "vendor")
# What becomes a slide, which lists do, and within what nothing does.
SHOWN = "div.proof:has(> p.admonition-title), div.math, div.amsmath, figure"
LISTS = "section:has(> h1) > ul, section#summary > ul"
HIDDEN = "details, .solution, .exercise, .check, div.proof:not(:has(> p.admonition-title))"
# Of a page's head: its styles, and the scripts for formulas and figures.
HEAD = re.compile("<link|mathjax|vaebook-(plots|theme)", re.IGNORECASE)


def words(element: Tag) -> str:
    """Return the markup in a heading, without its links."""
    return "".join(str(part) for part in element.contents if getattr(part, "name", "") != "a")


def lead(element: Tag) -> list[Tag]:
    """Return the sentence before an element if it leads to it, in a paragraph of its own."""
    before = element.find_previous_sibling()
    if before is None or before.name != "p" or before.get_text().rstrip()[-1:] in ".?!":
        return []
    paragraph = copy.copy(before)
    for part in reversed(paragraph.contents):
        if (
            isinstance(part, NavigableString) and "\n" in part
        ):  # a line of the source is a sentence
            for earlier in [*part.previous_siblings]:
                earlier.extract()
            part.replace_with(NavigableString(part.rsplit("\n", 1)[1]))
            break
    return [paragraph]


def heading(element: Tag) -> Tag | None:
    """Return the heading of the section that an element is in; none at the start of a chapter."""
    found = (section.find("h2", recursive=False) for section in element.find_parents("section"))
    return next(filter(None, found), None)


def shown(article: Tag) -> Iterator[tuple[str, list[Tag]]]:
    """Yield the title of its section, and what is on it, of each slide."""
    covered = {id(element) for element in article.select(HIDDEN)}
    place = ""
    for element in article.select(f"{SHOWN}, {LISTS}"):
        if covered & {id(parent) for parent in element.parents}:
            continue
        covered.add(id(element))
        section = heading(element)
        if section and place != (place := words(section)):
            yield "", [copy.copy(section)]
        alone = element.name == "figure" or "proof" in element.get_attribute_list("class")
        yield place, [*([] if alone else lead(element)), element]


def slide(place: str, parts: list[Tag]) -> str:
    """Return a slide's HTML."""
    content = "\n".join(str(part) for part in parts)
    return (
        f'<section class="slide"><p class="place">{place}</p>'
        f'<div class="content">{content}</div></section>'
    )


def clean(slides: BeautifulSoup) -> None:
    """Take away what belongs to a page, and the links that would leave the deck."""
    for extra in slides.select(".headerlink, .vaebook-report"):
        extra.decompose()
    known = {element["id"] for element in slides.select("[id]")}
    for link in slides.select("a[href]"):
        address = str(link["href"])
        name = address.removeprefix("#")
        if not address.startswith("http") and (address == name or name not in known):
            link.unwrap()


def chapters() -> list[tuple[str, str]]:
    """Return number and path of each chapter, in reading order."""
    paths = [(Path(path).name[:2], path) for path in toc.listed()]
    return [(number, path) for number, path in paths if number.isdigit()]


def read(path: Path) -> BeautifulSoup:
    """Return a chapter's page; what lies a level up from it lies beside a deck."""
    return BeautifulSoup(path.read_text(encoding="utf-8").replace('="../', '="'), "html.parser")


def title(page: BeautifulSoup) -> str:
    """Return the markup of a page's title."""
    return words(page.select("h1")[0])


def deck(page: BeautifulSoup, number: str) -> str:
    """Return the HTML of the deck of a chapter's page."""
    article = page.select("article.bd-article")[0]
    about = f'<p class="book">Chapter {int(number)} of {html.escape(toc.title())}</p>'
    first = BeautifulSoup(f"<h1>{title(page)}</h1>{about}", "html.parser")
    made = [slide("", [first]), *(slide(*what) for what in shown(article))]
    slides = BeautifulSoup("\n".join(made), "html.parser")
    clean(slides)
    # A page has one copy of what its live figures share, wherever the first of them is.
    kept = {str(script) for script in slides.select("script")}
    shared = map(str, article.select("script[data-model], script[data-vaebook-live]"))
    head = page.select(":is(link[rel=stylesheet], link[rel=icon], head > script)")
    return jinja2.Template(TEMPLATE.read_text(encoding="utf-8")).render(
        title=html.escape(first.get_text(": ", strip=True)),
        head="\n".join(str(part) for part in head if HEAD.search(str(part))),
        slides=str(slides),
        scripts="\n".join(script for script in shared if script not in kept),
    )


def main(site: str, target: str) -> int:
    """Write the decks, a page that lists them, and what they load."""
    source, folder = Path(site), Path(target)
    shutil.rmtree(folder, ignore_errors=True)
    for name in SHARED:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)
    links = []
    for number, path in chapters():
        page = read(source / f"{path}.html")
        made = deck(page, number)
        (folder / f"{number}.html").write_text(made, encoding="utf-8")
        links.append(f'<li value="{int(number)}"><a href="{number}.html">{title(page)}</a></li>')
        count = made.count('<section class="slide">')
        print(f"{folder}/{number}.html: {count} slides")
    name = html.escape(toc.title())
    (folder / "index.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}: slides</title>'
        f"<main><h1>{name}</h1><ol>{''.join(links)}</ol></main></html>\n",
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
