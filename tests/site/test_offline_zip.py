"""The zip of the site, opened from a disk."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import pack
from tests.site.built_site import RAW_MATHS, SITE


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked zip, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("a reader's folder")
    pack.pack(SITE, folder / "book.zip")
    with zipfile.ZipFile(folder / "book.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(folder / "un packed")
    return folder / "un packed" / pack.FOLDER


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser without network."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(90_000)  # a busy machine takes its time
    yield context.new_page()
    context.close()


def test_the_zip_holds_the_site_in_one_folder(unpacked: Path) -> None:
    assert [path.name for path in unpacked.parent.iterdir()] == [pack.FOLDER]
    assert (unpacked / "index.html").is_file()
    assert len(list(unpacked.rglob("*.html"))) == len(list(SITE.rglob("*.html")))


def test_search_finds_pages_from_a_file(page: Page, unpacked: Path) -> None:
    page.goto((unpacked / "search.html").as_uri() + "?q=reparameterisation")
    found = page.locator("#search-results li a")
    expect(found.first).to_be_visible(timeout=90_000)
    found.first.click()
    page.wait_for_load_state("load")
    assert page.url.startswith("file://")
    assert "/chapters/" in page.url


def test_mathematics_is_typeset_from_a_file(page: Page, unpacked: Path) -> None:
    chapter = next((unpacked / "chapters").glob("02_*.html"))
    page.goto(chapter.as_uri())
    page.wait_for_function("() => window.MathJax?.startup?.promise", timeout=90_000)
    page.evaluate("() => window.MathJax.startup.promise.then(() => true)")
    assert page.locator("mjx-container").count() > 10
    assert page.evaluate(RAW_MATHS) == []
