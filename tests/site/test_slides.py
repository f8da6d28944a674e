"""The slides of a chapter, opened from a disk."""

import io
from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

import slides
from tests.site.built_site import RAW_MATHS, SITE

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# Statements, formulas, figures, and one that lives.
NUMBER, PATH = next(chapter for chapter in slides.chapters() if chapter[0] == "09")
NOW = """() => [...document.querySelectorAll(".slide")].findIndex(
  (slide) => slide.getBoundingClientRect().bottom > innerHeight / 2)"""


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a lecturer's folder")
    for name in slides.SHARED:
        (folder / name).symlink_to(SITE / name)
    made = slides.deck(slides.read(SITE / f"{PATH}.html"), NUMBER)
    (folder / f"{NUMBER}.html").write_text(made, encoding="utf-8")
    return folder / f"{NUMBER}.html"


@pytest.fixture(scope="module")
def shown(browser: Browser, deck: Path) -> Iterator[Page]:
    """The deck in a browser without network, its figures drawn."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.set_default_timeout(90_000)  # a busy machine takes its time
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.goto(deck.as_uri())
    page.evaluate("() => window.MathJax.startup.promise.then(() => true)")
    expect(page.locator(".vaebook-plot:not([data-drawn])")).to_have_count(0, timeout=90_000)
    assert wrong == []
    yield page
    context.close()


def test_a_deck_has_all_figures_and_statements_and_no_code(deck: Path) -> None:
    made = BeautifulSoup(deck.read_text(encoding="utf-8"), "html.parser")
    text = (SITE / f"{PATH}.html").read_text(encoding="utf-8")
    page = BeautifulSoup(text, "html.parser").select_one("article")
    for hidden in page.select(".solution, .exercise"):
        hidden.decompose()
    for wanted in ("figure[id] figcaption", "div.proof > p.admonition-title"):
        there = [element.get_text().strip() for element in made.select(wanted)]
        assert there
        assert there == [e.get_text().strip().removesuffix("#") for e in page.select(wanted)]
    assert made.select(".highlight, .solution, .exercise, .headerlink") == []


def test_the_sentence_that_leads_to_a_formula_is_on_its_slide() -> None:
    page = "<p>One thing.\n<em>Another</em> is</p><div class='math'>x</div>"
    formula = BeautifulSoup(page, "html.parser").div
    assert [part.get_text() for part in slides.lead(formula)] == ["Another is"]
    whole = BeautifulSoup("<p>It is said.</p><div class='math'>x</div>", "html.parser").div
    assert slides.lead(whole) == []


def test_no_link_of_a_deck_leads_nowhere(deck: Path) -> None:
    made = BeautifulSoup(deck.read_text(encoding="utf-8"), "html.parser")
    links = [str(link["href"]) for link in made.select("main a[href]")]
    inside = [link[1:] for link in links if link.startswith("#")]
    assert inside
    assert [name for name in inside if made.find(id=name) is None] == []
    assert [link for link in links if not link.startswith(("#", "https:"))] == []


def test_formulas_are_typeset_and_live_figures_live(shown: Page) -> None:
    assert shown.locator("mjx-container").count() > 10
    assert shown.evaluate(RAW_MATHS) == []
    expect(shown.locator(".vaebook-is-live").first).to_be_attached()


def test_a_slide_fits_the_window(shown: Page) -> None:
    cut = """() => [...document.querySelectorAll(".slide")].filter(
      (slide) => slide.scrollHeight > innerHeight + 1 || slide.scrollWidth > innerWidth
    ).map((slide) => slide.textContent.trim().slice(0, 60))"""
    shown.wait_for_function(f"() => ({cut})().length === 0")


def test_keys_turn_the_slides_but_not_from_within_a_figure(shown: Page) -> None:
    shown.emulate_media(reduced_motion="reduce")
    shown.keyboard.press("Home")
    for key, there in (("ArrowRight", 1), ("PageDown", 2), (" ", 3), ("ArrowLeft", 2)):
        shown.keyboard.press(key)
        top = f'document.querySelectorAll(".slide")[{there}].getBoundingClientRect().top'
        shown.wait_for_function(f"() => Math.abs({top}) < 2")
    dial = shown.locator(".vaebook-plot input[type=range]").first
    dial.focus()
    before, value = shown.evaluate(NOW), int(dial.input_value())
    dial.press("ArrowLeft")  # films open on their last frame
    assert int(dial.input_value()) == value - 1
    assert shown.evaluate(NOW) == before
    dial.blur()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_deck_is_accessible(shown: Page, mode: str) -> None:
    shown.emulate_media(color_scheme=mode)
    shown.wait_for_function(f"() => document.documentElement.dataset.theme === '{mode}'")
    shown.evaluate(AXE)
    found = shown.evaluate(
        """() => axe.run({ exclude: [[".main-svg"]] },
          { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] })"""
    )
    assert [(rule["id"], rule["nodes"][0]["html"][:90]) for rule in found["violations"]] == []


def test_a_deck_prints_one_slide_on_a_page(shown: Page) -> None:
    printed = PdfReader(io.BytesIO(shown.pdf(prefer_css_page_size=True, print_background=True)))
    assert len(printed.pages) == shown.locator(".slide").count()
    width, height = printed.pages[0].mediabox.upper_right
    assert width > height
