"""What is read as one word, and where a formula may be broken."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

STATIC = Path(__file__).parents[2] / "_static"
STYLE, READING, THEME, LINES, CHECKS = (
    (STATIC / f"vaebook{name}").read_text(encoding="utf-8")
    for name in (".css", "-reading.css", "-theme.js", "-lines.js", "-checks.js")
)
PAGE = (
    '<!doctype html><html><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><style>{}'
    "body {{ font: 16px Arial, sans-serif }}</style><script>{}</script></head><body>"
    '<article class="bd-article">{}</article></body></html>'
)
MATH = '<span class="math">\\({}\\)</span>'
NUMBER = '<span class="pasted-text">{}</span>'


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page with the scripts and the style of the book."""
    context = browser.new_context(viewport={"width": 390, "height": 700})

    def open_page(body: str) -> Page:
        page = context.new_page()
        whole = PAGE.format(STYLE + READING, THEME + LINES + CHECKS, body)
        page.route("http://book.test/", lambda route: route.fulfill(body=whole))
        page.goto("http://book.test/")
        return page

    yield open_page
    context.close()


def bound(page: Page) -> list[str]:
    """What stands on one line."""
    parts = page.locator(".vaebook-whole")
    return parts.evaluate_all("(parts) => parts.map((part) => part.textContent)")


@pytest.mark.parametrize(
    "words",
    [
        "t-SNE",
        "Fashion-MNIST",
        "784-400-100-20",
        "0.17 (0.08 to 0.26)",
        "−0.5 to 6.0",
        "25 + 10",
        "+1.83 ± 0.35",
        "11 of 12",
        "et al.",
        "4–9",
        "T-shirt → shirt",
        "0.16 → 0.24",
        "N(0, I)",
        "[K, P D]",
        "(0, 1]",
        "(-1, 1)",
        "-extent",
        "Fig. 16",
        "Proposition 22",
    ],
)
def test_words_that_belong_together_stay_on_one_line(
    show: Callable[..., Page], words: str
) -> None:
    page = show(f"<p>Before it, {words}, and after it. A well-known word may break.</p>")
    assert bound(page) == [words]
    assert page.locator("p").text_content().count(words) == 1


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (f"has “{MATH.format('x')}” instead", "“\\(x\\)”"),
        (f"({MATH.format('x')}), so", "(\\(x\\)),"),
        (f"at {MATH.format('s =')} {NUMBER.format('4.9')}, and", "\\(s =\\) 4.9"),
        (f"{NUMBER.format('8.1')} to {NUMBER.format('8.4')} nats", "8.1 to 8.4"),
        (f"in {NUMBER.format('4')} of {NUMBER.format('5')} seeds", "4 of 5"),
    ],
)
def test_a_formula_keeps_its_marks_and_its_number(
    show: Callable[..., Page], body: str, whole: str
) -> None:
    assert bound(show(f"<p>{body}</p>")) == [whole]


def test_in_a_table_only_what_is_short_stays_on_one_line(show: Callable[..., Page]) -> None:
    cells = "<td>Fashion-MNIST, 16-D</td><td>0.16 → 0.24, 5 of 5</td>"
    assert bound(show(f"<table><tr>{cells}</tr></table>")) == ["16-D", "5 of 5"]


def test_what_is_no_prose_is_left_alone(show: Callable[..., Page]) -> None:
    listing = "<pre>mnist-mlp-2d 4 + 5</pre><p><code>2-D</code></p>"
    assert not bound(show(listing + '<div class="citation">10.1/0893-6080, 4–9</div>'))


def test_a_long_formula_is_not_broken_within_a_norm(show: Callable[..., Page]) -> None:
    wide = "<mjx-mi>" + 12 * "m" + "</mjx-mi>"
    bar = '<mjx-mo><mjx-c class="mjx-c2225">‖</mjx-c></mjx-mo>'
    sign = '<mjx-mo space="{}"><mjx-c class="mjx-c{}">{}</mjx-c></mjx-mo>'
    parts = wide, sign.format(4, "3D", "="), bar, wide, sign.format(3, "2212", "−"), wide, bar
    parts += sign.format(3, "2B", "+"), wide
    math = "<mjx-container><mjx-math>" + "".join(parts) + "</mjx-math></mjx-container>"
    page = show(f'<p><span class="math">{math}</span></p>')
    page.wait_for_selector(".vaebook-breaks")
    rows = page.locator("mjx-math mjx-mrow")
    m = 12 * "m"
    found = rows.evaluate_all("(rows) => rows.map((row) => row.textContent)")
    assert found == [f"{m}=", f"‖{m}−{m}‖+", m]


def test_a_long_formula_is_not_broken_at_a_dot(show: Callable[..., Page]) -> None:
    sign = '<mjx-mo space="3"><mjx-c class="mjx-c{}">{}</mjx-c></mjx-mo>'
    wide = "<mjx-mi>" + 12 * "m" + "</mjx-mi>"
    parts = wide, sign.format("22C5", "⋅"), wide, sign.format("2B", "+"), wide
    math = "<mjx-container><mjx-math>" + "".join(parts) + "</mjx-math></mjx-container>"
    page = show(f'<p><span class="math">{math}</span></p>')
    page.wait_for_selector(".vaebook-breaks")
    assert page.locator("mjx-math mjx-mrow").count() == 2


def test_a_bar_within_a_term_over_a_brace_opens_no_norm(show: Callable[..., Page]) -> None:
    glyph = '<mjx-mo><mjx-c class="mjx-c{}">{}</mjx-c></mjx-mo>'
    inside = glyph.format("28", "(") + glyph.format("7C", "|") + glyph.format("29", ")")
    term = "<mjx-munder>" + inside + "<mjx-mi>" + 30 * "m" + "</mjx-mi></mjx-munder>"
    parts = term, '<mjx-mo space="4"><mjx-c class="mjx-c3D">=</mjx-c></mjx-mo>', term
    math = "<mjx-container><mjx-math>" + "".join(parts) + "</mjx-math></mjx-container>"
    page = show(f'<p><span class="math">{math}</span></p>')
    page.wait_for_selector(".vaebook-breaks")
    assert page.locator("mjx-math mjx-mrow").count() == 2


@pytest.mark.parametrize("letters", [32, 44])  # the latter is wider than a phone at 70 %
def test_a_formula_set_smaller_is_as_large_as_its_room_when_the_phone_is_turned(
    show: Callable[..., Page], letters: int
) -> None:
    row = '<mjx-math style="display: inline-block"><mjx-mtable>{}</mjx-mtable></mjx-math>'
    box = '<mjx-container display="true" style="display: block; overflow: auto">{}</mjx-container>'
    page = show(box.format(row.format(letters * "m")))
    scale = "(math) => parseInt(math.style.fontSize || 100)"
    small = "(parseInt(document.querySelector('mjx-math').style.fontSize || 100) < 100) == {}"
    page.wait_for_function(small.format("true"))
    narrow = page.locator("mjx-math").evaluate(scale)
    # A fold that opens has all formulas looked at again.
    page.evaluate("document.body.dispatchEvent(new Event('toggle'))")
    assert page.locator("mjx-math").evaluate(scale) == narrow
    page.set_viewport_size({"width": 700, "height": 390})
    page.wait_for_function(small.format("false"))
    page.set_viewport_size({"width": 390, "height": 700})
    page.wait_for_function(small.format("true"))
    assert page.locator("mjx-math").evaluate(scale) == narrow >= 70


def test_a_formula_that_was_broken_is_whole_again_where_there_is_room(
    show: Callable[..., Page],
) -> None:
    sign = '<mjx-mo space="4"><mjx-c class="mjx-c3D">=</mjx-c></mjx-mo>'
    math = sign.join(3 * ["<mjx-mi>" + 14 * "m" + "</mjx-mi>"])
    inside = f'<mjx-math style="display: inline-block">{math}</mjx-math>'
    box = '<mjx-container display="true" style="display: block; overflow: auto">{}</mjx-container>'
    page = show(box.format(inside))
    page.wait_for_selector(".vaebook-breaks mjx-mrow")
    page.set_viewport_size({"width": 1000, "height": 390})
    page.wait_for_selector(".vaebook-breaks", state="detached")
    assert page.locator("mjx-math mjx-mrow").count() == 0
    page.set_viewport_size({"width": 390, "height": 700})
    page.wait_for_selector(".vaebook-breaks mjx-mrow")


def test_names_of_modules_side_by_side_fit_a_phone(show: Callable[..., Page]) -> None:
    names = "".join(
        f'<a class="{side}" href="#"><p class="prev-next-title">vaebook.{name}</p></a>'
        for side, name in (("left-prev", "objectives"), ("right-next", "disentanglement"))
    )
    page = show(f'<div class="prev-next-area">{names}</div>')
    page.set_viewport_size({"width": 300, "height": 600})
    area = page.locator(".prev-next-area")
    assert area.evaluate("(area) => area.scrollWidth <= area.clientWidth")
    assert page.locator(".prev-next-title wbr").count() == 2


def test_the_field_of_a_self_check_fits_a_phone(show: Callable[..., Page]) -> None:
    fold = "<details><summary>{}</summary><div class='sd-summary-content'>{}</div></details>"
    folds = fold.format("1", "Right.") + fold.format("2", "No.")
    title = '<p class="admonition-title">A title</p>'
    box = f'<div class="check admonition numeric">{title}{folds}</div>'
    page = show(f'<div style="width: 290px">{box}</div>')
    tops = "(parts) => parts.map((part) => Math.round(part.getBoundingClientRect().bottom))"
    assert len(set(page.locator("form :is(input, button)").evaluate_all(tops))) == 1
