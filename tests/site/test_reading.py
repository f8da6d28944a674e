"""What helps to read the pages: self-checks, previews of references, reports, citations."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Locator, Page, expect

from tests.book.test_labels import LABELS
from tests.book.test_self_checks import FOUND
from tests.often import often
from tests.site.built_site import RAW_MATHS, SITE, pages
from tests.site.conftest import NewPage
from tests.site.test_pages import AUDIT, AXE, RULES, THIN

CHECKED = "chapters/04_class_mixtures.html"
ROOT = SITE.parents[1]
TYPESET = "() => window.MathJax.startup.promise.then(() => true)"


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, new_page: NewPage) -> Iterator[Page]:
    """A page that opens files, on two widths."""
    page = new_page(viewport={"width": request.param, "height": 900})
    yield page
    page.close()


def go(page: Page, name: str) -> None:
    """Open a page from its file and wait for its formulas."""
    page.goto((SITE / name).as_uri())
    page.evaluate(TYPESET)


# ---------------------------------------------------------------------------------------------
# Self-checks


def question(page: Page, title: str) -> Locator:
    """A question by its title."""
    # `get_by_role` looks through all elements of the page, each time.
    return page.locator(f'.check[role=group][aria-label="{title}"]')


# Of each question its title, and how many answers, right ones and fields to type in it has.
PARTS = """(boxes) => boxes.map((box) => [
  box.ariaLabel, ...["details", "details.check-right", "form"].map(
    (part) => box.querySelectorAll(part).length)])"""


@pytest.mark.parametrize("chapter", [name for name, found in FOUND.items() if found])
def test_every_question_of_a_chapter_is_on_its_page(new_page: NewPage, chapter: str) -> None:
    page = new_page()
    # Nothing is loaded but the page itself and the script of its questions.
    page.route(
        lambda url: not url.endswith(f"{chapter}.html") and "vaebook-checks" not in url,
        lambda route: route.abort(),
    )
    page.goto((SITE / "chapters" / f"{chapter}.html").as_uri(), wait_until="domcontentloaded")
    found = page.get_by_role("group").filter(has=page.locator("details.check-right"))
    assert found.evaluate_all(PARTS) == [
        [asked.title, len(asked.answers), 1, int(asked.numeric)] for asked in FOUND[chapter]
    ]
    page.close()


def test_an_answer_opens_by_keyboard_and_says_why(page: Page) -> None:
    go(page, CHECKED)
    box = question(page, "A perfect cloud")
    first = box.locator("summary").first
    first.focus()
    page.keyboard.press("Enter")
    expect(box.locator("details").first).to_have_attribute("open", "")
    expect(box.get_by_text("Many narrow Gaussians")).to_be_visible()
    assert "check-wrong" in box.locator("details").first.get_attribute("class")


TYPED = {
    "2.55": ("right", "Right"),
    "2.5482": ("right", "Right"),
    "51/20": ("right", "Right"),
    "0.15": ("wrong", "average of two independent draws"),
    "7": ("wrong", "Not this number"),
    "255 %": ("right", "Right"),
    "2.55 %": ("wrong", "Not this number"),
    "5,100/2 000": ("right", "Right"),
    "2,550": ("wrong", "Not this number"),
    "two": ("", "Type a number such as"),
    "2,55": ("", "Type a number such as"),
    "1,2345": ("", "Type a number such as"),
    "1/0": ("", "Type a number such as"),
    "": ("", "Type a number such as"),
}


def test_a_number_is_answered_at_once(page: Page) -> None:
    go(page, CHECKED)
    box = question(page, "Two codes of one class")
    status = box.get_by_role("status")
    for typed, (mark, words) in TYPED.items():
        box.get_by_label("Your answer").fill(typed)
        page.keyboard.press("Enter")
        expect(status).to_contain_text(words)
        expect(status).to_have_class(f"check-{mark}" if mark else "")
    assert page.evaluate(RAW_MATHS) == []


def test_the_answers_of_a_number_are_shown_when_asked_for(page: Page) -> None:
    go(page, CHECKED)
    box = question(page, "Two codes of one class")
    expect(box.locator("details").first).to_be_hidden()
    button = box.get_by_role("button", name="Answers")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(box.locator("details").first).to_be_visible()
    button.click()
    expect(box.locator("details").first).to_be_hidden()


def test_questions_work_without_a_script_and_stand_open_on_paper(
    browser: Browser, new_page: NewPage
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / CHECKED).as_uri())
    fold = page.locator(".check.numeric details").first
    fold.locator("summary").click()
    expect(fold.locator(".sd-summary-content")).to_be_visible()
    context.close()
    page = new_page()
    page.goto((SITE / CHECKED).as_uri())
    page.emulate_media(media="print")
    expect(page.locator(".check.numeric details").first).to_be_visible()
    page.close()


# ---------------------------------------------------------------------------------------------
# Previews


def previewed(page: Page, href: str) -> Locator:
    """The first link to a target in the text."""
    return page.locator(f'.bd-article a.internal[href="{href}"]').first


def point_at(link: Locator, words: str) -> Locator:
    """Rest the pointer on a link until its preview shows the words; return the preview.

    A page that is still drawing can take the link from under the pointer, as it can from a
    reader's: then one points again.
    """
    tip = link.page.get_by_role("tooltip")
    for again in (True, True, False):
        link.page.mouse.move(2, 2)
        link.hover()
        try:
            expect(tip).to_contain_text(words, timeout=5000)
        except AssertionError:
            if not again:
                raise
        else:
            break
    return tip


# Pages with a link each to an equation, a figure, a result, an exercise, a citation and a term,
# on the same page and on another.
TARGETS = {
    "chapters/04_class_mixtures.html": [
        ("#prop:mixtures-moments", "Moments of a class"),
        ("#ex:mixtures-moments", "Mean and covariance of a mixture"),
        ("02_the_elbo.html#thm:gaussian-kl", "Gaussians"),
    ],
    "chapters/15_anchors.html": [("#equation-eq-anchor-kl", "")],
    "chapters/reference.html": [("04_class_mixtures.html#prop:mixtures-moments", "Moments")],
}


@pytest.mark.parametrize(
    ("name", "href", "words"),
    often([(name, href, words) for name, found in TARGETS.items() for href, words in found], 3),
)
def test_a_reference_shows_what_it_refers_to(
    new_page: NewPage, name: str, href: str, words: str
) -> None:
    page = new_page(viewport={"width": 1280, "height": 900})
    go(page, name)
    link = previewed(page, href)
    tip = point_at(link, words)
    expect(link).to_have_attribute("aria-describedby", tip.get_attribute("id"))
    page.wait_for_function(
        "() => !document.querySelector('.vaebook-preview .math:not(:has(mjx-container))')"
    )
    assert tip.locator("mjx-merror, a, [id], [tabindex]").count() == 0
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.wait_for_timeout(600)
    expect(tip).to_be_visible()
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()
    page.close()


def test_a_preview_opens_with_the_focus_and_closes_with_escape(page: Page) -> None:
    go(page, CHECKED)
    link = previewed(page, "#prop:mixtures-moments")
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    tip = page.get_by_role("tooltip")
    expect(tip).to_be_visible()
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    assert link.evaluate("link => document.activeElement === link")


def test_an_open_preview_has_no_wcag_violation(new_page: NewPage) -> None:
    for mode in ("light", "dark"):
        page = new_page(color_scheme=mode)
        go(page, CHECKED)
        point_at(previewed(page, "#prop:mixtures-moments"), "Moments of a class")
        page.evaluate(THIN)
        page.evaluate(AXE)
        found = page.evaluate(AUDIT, [RULES, [], ".vaebook-preview"])
        assert found["violations"] == []
        page.close()


def test_a_citation_and_a_figure_have_previews(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 1280, "height": 900})
    go(page, CHECKED)
    target = page.locator('.bd-article p a.internal[title*="Heusel"]').first.get_attribute("href")
    # By its address, as the preview takes the place of the title.
    tip = point_at(page.locator(f'.bd-article p a.internal[href="{target}"]').first, "Heusel")
    assert page.locator(f'a[href="{target}"][aria-describedby]').get_attribute("title") is None
    page.keyboard.press("Escape")
    page.mouse.move(2, 2)
    figure = page.locator('.bd-article p a.internal[href="#fig-mixtures-ellipses-mnist"]').first
    point_at(figure, "")
    expect(tip.locator("img")).to_be_visible()
    assert tip.locator("img").get_attribute("alt")
    assert tip.inner_text().strip()
    page.close()


def test_a_finger_follows_a_link_and_opens_no_preview(browser: Browser) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    go(page, CHECKED)
    link = previewed(page, "#prop:mixtures-moments")
    link.scroll_into_view_if_needed()
    link.tap()
    page.wait_for_timeout(600)
    expect(page.get_by_role("tooltip")).to_be_hidden()
    assert page.url.endswith("#prop:mixtures-moments")
    context.close()


# ---------------------------------------------------------------------------------------------
# Reports, citations, lists


def test_a_report_is_reached_by_keyboard_and_asks_no_one(new_page: NewPage) -> None:
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    go(page, CHECKED)
    report = page.get_by_role("link", name="Report a fault").first
    report.focus()
    assert report.evaluate("link => getComputedStyle(link).opacity") == "1"
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    page.close()


@pytest.mark.parametrize("name", [n for n in pages() if n.startswith("chapters/")])
def test_every_section_of_a_page_can_be_reported(name: str) -> None:
    text = (SITE / name).read_text(encoding="utf-8")
    article = text[text.index("<article") : text.index("</article>")]
    assert article.count("<h2>") == article.count('class="vaebook-report"')


def test_the_citation_of_a_page_is_copied_by_a_button(browser: Browser, base: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(base + CHECKED)
    page.get_by_text("Cite this page").click()
    fold = page.locator("details.vaebook-cite")
    fold.locator("pre").hover()
    fold.locator("button.copybtn").click()
    page.wait_for_function("() => navigator.clipboard.readText().then((t) => t.length > 0)")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("@incollection{vaebook-class-mixtures,")
    context.close()


def test_the_reference_lists_every_result_of_the_book() -> None:
    text = (SITE / "chapters" / "reference.html").read_text(encoding="utf-8")
    for path, labels in LABELS.items():
        for label in labels:
            assert f'href="{Path(path).stem}.html#{label}"' in text, label


def test_the_index_is_linked_and_leads_into_the_chapters() -> None:
    reference = (SITE / "chapters" / "reference.html").read_text(encoding="utf-8")
    assert "../genindex.html" in reference
    index = (SITE / "genindex.html").read_text(encoding="utf-8")
    terms = re.findall(r'href="(chapters/\d\d_\w+\.html)#index-', index)
    assert len(set(terms)) > 8, "terms are met in most chapters"


def test_every_page_but_the_first_is_in_the_contents_once() -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    assert {"chapters/reference", "chapters/accessibility"} <= set(files)
