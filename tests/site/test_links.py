"""Links inside the built site, read without a browser."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.site.built_site import SITE, pages


class _Page(HTMLParser):
    """The ids of a page, and what it points at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.figures: set[str] = set()
        self.targets: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag.startswith("vaebook-"):
            self.figures.add(tag.removeprefix("vaebook-"))
        self.ids |= {found[key] for key in ("id", "name") if found.get(key)}
        self.targets += [found[key] for key in ("href", "src") if found.get(key)]


_page = cache(_Page)


def broken(path: Path) -> list[str]:
    """What a page points at inside the site and what is not there."""
    missing = []
    for target in _page(path).targets:
        url = urlsplit(target)
        if url.scheme or url.netloc:
            continue
        file = path if not url.path else (path.parent / unquote(url.path)).resolve()
        # Before a question mark stands the live figure whose settings follow.
        anchor, settings, _ = unquote(url.fragment).partition("?")
        known = "figures" if settings else "ids"
        page = anchor and file.suffix == ".html" and file.is_file()
        dead = page and anchor not in getattr(_page(file), known)
        if not file.exists() or dead:
            missing.append(target)
    return missing


def test_the_site_is_built() -> None:
    assert pages(), f"no pages in {SITE}: run `make book` first"


@pytest.mark.parametrize("name", pages())
def test_every_link_inside_the_site_leads_somewhere(name: str) -> None:
    assert broken(SITE / name) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<a id="here" href="#here"></a><a href="#gone"></a><a href="no.html"></a>'
        '<vaebook-pad></vaebook-pad><a href="#pad?x=1"></a><a href="#here?x=1"></a>'
    )
    assert broken(page) == ["#gone", "no.html", "#here?x=1"]


def test_no_page_names_another_host_for_what_it_loads() -> None:
    for name in pages():
        text = (SITE / name).read_text(encoding="utf-8")
        for start in ('src="http', "src='http", 'src="//', '<link rel="stylesheet" href="http'):
            assert start not in text, f"{name} loads from another host: {start}"


MOVED = yaml.safe_load((SITE.parents[1] / "_config.yml").read_text(encoding="utf-8"))["sphinx"][
    "config"
]["redirects"]


@pytest.mark.parametrize("old", MOVED)
def test_an_address_of_the_first_edition_leads_to_the_chapter_of_that_name(old: str) -> None:
    page = SITE / f"{old}.html"
    assert f"url={MOVED[old]}" in page.read_text(encoding="utf-8")
    assert broken(page) == []
    assert (page.parent / MOVED[old]).is_file()
    assert MOVED[old].removesuffix(".html")[3:] == Path(old).name[3:], "the same slug"
