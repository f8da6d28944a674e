"""The page on which proofs are marked, opened from a file, with hostile answers on it."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from playwright.sync_api import Browser, Dialog, Page

import course
import marks
import masters
import pages
import sandbox
from submissions import File, Found, _pasted, _saved_pictures
from tests.site.conftest import browser  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
BETA = masters.masters()["5_beta"]
QUESTION = next(iter(BETA.written))
MOST = BETA.written[QUESTION]
# A red picture of one pixel.
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQ"
    "DwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
HOSTILE = r"""
<script>window.hurt = 1</script> <img src=x onerror="window.hurt = 2">
<svg onload="window.hurt = 3"></svg> [a link](javascript:window.hurt=4)
![a picture](https://example.org/track.png) <https://example.org> <iframe srcdoc="x"></iframe>
</div></section><style>body { display: none }</style>

$\href{javascript:window.hurt=5}{click}$ $\mmlToken{mi}[href="javascript:window.hurt=6"]{y}$
$\class{hurt}{z}$ $\style{position: fixed; inset: 0}{w}$ $</script><script>window.hurt=7</script>$
$\require{html}\cssId{save}{v}$ $\def\a{\a\a}\a$ $\def\sum{\int}\sum$
"""
# What notebooks save of a drawing and of a figure of plotly.
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><script>window.hurt = 8'
    '</script><rect width="8" height="8"/></svg>'
)
FIGURE = {
    "data": [
        {"type": "scatter", "x": [1, 2], "y": [3, 4], "name": "<a href='https://x.org'>x</a>"}
    ],
    "layout": {
        "title": {
            "text": "rate <a href='javascript:window.hurt=9'>here</a> <b>and</b> distortion"
        },
        "images": [{"source": "https://example.org/track.png"}],
    },
}
LABELS = r"""$\newcommand{\KL}[2]{\mathrm{KL}(#1 \| #2)}\DeclareMathOperator*{\argmax}{arg\,max}$

$$\begin{equation}\label{eq:one} a \\[4pt] \KL{q}{p} = \argmax_x f \end{equation}$$

\begin{align}\label{eq:one} b &= 1 \\[4pt] c &= 2 \end{align}

and \\( d \\), \\[ e \\[4pt] f \\]

![of rate](attachment:a.svg)"""
PROOF = r"""Let $a_1 * b$ and \(c_2\).

$$\sum_i x_i = \mathrm{KL}$$

![p](attachment:proof.png)"""


def report(student: str, answer: str, points: float | None = None, **found: Any) -> course.Report:
    """A report of which only the answer in words matters."""
    what = Found(answers={QUESTION: answer} if answer else {}, **found)
    outcome = sandbox.Outcome(dict.fromkeys(BETA.tests, ""))
    one = course.Report(student, BETA, "graded", outcome, 0, what)
    if points is not None:
        one.marks[QUESTION] = points
    return one


def write(folder: Path, *reports: course.Report) -> str:
    """Write the page; return its address on the disk."""
    return pages.proofs(folder / "proofs", BETA, reports, {}).resolve().as_uri()


MACROS = LABELS.partition("\n")[0].replace("KL}(#1", "D}(#1")


def pictures() -> list[str]:
    """What is found of an attachment and two outputs, one of a kind that no page can show."""
    bundles = [
        {"application/vnd.plotly.v1+json": FIGURE},
        {"application/vnd.vegalite.v5+json": {}},
    ]
    outputs = [new_output("display_data", data) for data in bundles]
    cell = new_markdown_cell(LABELS, attachments={"a.svg": {"image/svg+xml": DRAWING}})
    return [*_pasted(cell), *_saved_pictures(new_code_cell(outputs=outputs))]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a class of four, one of whom is hostile, and one has handed in paper."""
    paper = report("zoe", "")
    paper.papers = [File("5_beta.pdf", b"%PDF-1.4 x", 0.0, kind="application/pdf")]
    paper.papers.append(File("photo.png", b"\x89PNG\r\n\x1a\n", 0.0, kind="image/png"))
    return write(
        tmp_path_factory.mktemp("marking"),
        report("ada", PROOF, images={QUESTION: [PIXEL]}),
        report("bob", HOSTILE),
        report("cy, =1+1", "Short.", 3.0),
        report("dora", LABELS, images={QUESTION: pictures()}),
        report("eve", LABELS.partition("\n")[2] + r"$\sum_i$", definitions=[MACROS]),
        paper,
    )


asked: list[str] = []  # addresses that the page has wanted, its errors and messages


@pytest.fixture(
    params=[
        pytest.param((1280, "light"), id="desk", marks=pytest.mark.weekly),
        pytest.param((390, "dark"), id="phone, dark"),
    ]
)
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:  # noqa: F811
    """The page, opened from its file, and nothing that it asks elsewhere."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, accept_downloads=True
    )
    opened = context.new_page()
    asked.clear()
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: asked.append(f"error {error}"))
    opened.on("console", lambda message: asked.append(f"says {message.text}"))
    opened.goto(address)
    opened.wait_for_selector("mjx-container")
    yield opened
    context.close()


def go_to(page: Page, student: str) -> None:
    """Show a student."""
    page.select_option("#student", student)
    page.wait_for_timeout(300)


def test_formulas_are_typeset_with_the_rubric_beside_and_pictures_shown(page: Page) -> None:
    shown = page.locator("section:not([hidden]) .answer").first
    shown.locator("mjx-container").nth(2).wait_for()
    assert shown.locator("mjx-container").count() == 3
    assert "$" not in shown.inner_text()
    assert shown.locator("img").evaluate("image => image.naturalWidth") == 1
    aside = page.locator("aside")
    assert "Rubric" in aside.inner_text()
    assert aside.locator("mjx-container").count() > 3
    beside = aside.bounding_box()["x"] > shown.bounding_box()["x"] + 100
    assert beside == (page.viewport_size["width"] == 1280)


def test_what_a_student_has_typed_neither_runs_nor_loads_nor_leaves_its_place(page: Page) -> None:
    go_to(page, "bob")
    shown = page.locator("section:not([hidden])")
    assert page.evaluate("window.hurt") is None
    assert shown.locator("a, script, iframe, svg, style, img, [style*=fixed]").count() == 0
    assert "<script>window.hurt = 1</script>" in shown.inner_text()
    assert "https://example.org/track.png" in shown.inner_text()
    for link in page.locator("section a[href], section [href]").all():
        assert "javascript" not in (link.get_attribute("href") or "")
    assert page.locator("#save").count() == 1
    assert page.locator("section").count() == 6
    go_to(page, "ada")
    assert "∑" in page.locator("section:not([hidden]) .answer").first.inner_text()
    assert page.locator("body").is_visible()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_students_macros_and_labels_are_their_own(page: Page) -> None:
    for student, letters in (("dora", "KL"), ("eve", "D")):
        go_to(page, "bob")  # who gives others' names another meaning
        go_to(page, student)
        shown = page.locator("section:not([hidden])")
        page.wait_for_timeout(500)
        assert shown.locator("mjx-merror").count() == 0, student
        text = shown.locator(".answer").first.inner_text()
        # Letters of formulas are of another alphabet.
        plain = unicodedata.normalize("NFKC", text).replace("\u2061", "")
        assert f"{letters}(q" in "".join(plain.split()), plain
        assert "arg" in plain
        assert "4pt" not in plain
        assert "label" not in plain
        assert "$" not in plain
        assert "\\" not in plain
        assert shown.locator("mjx-container").count() >= 5
    assert "∑" in plain


def test_drawings_and_figures_of_plotly_are_shown_and_others_named(page: Page) -> None:
    go_to(page, "dora")
    shown = page.locator("section:not([hidden]) .answer").first
    shown.locator(".figure .main-svg").first.wait_for(timeout=120_000)
    assert shown.locator("img").evaluate("image => image.naturalWidth") == 8
    assert "distortion" in shown.locator(".figure").inner_text()
    assert shown.locator("a").count() == 0
    assert "application/vnd.vegalite.v5+json" in shown.inner_text()
    assert page.evaluate("window.hurt") is None
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_pdf_and_a_photograph_are_shown(page: Page) -> None:
    go_to(page, "zoe")
    shown = page.locator("section:not([hidden])")
    assert "No answer found" in shown.inner_text()
    for tag, attribute in (("object", "data"), ("img", "src")):
        file = shown.locator(tag).get_attribute(attribute)
        assert (Path(page.url.removeprefix("file://")).parent / file).is_file()


def saved(page: Page) -> bytes:
    """What the button saves."""
    with page.expect_download() as download:
        page.click("#save")
    return Path(download.value.path()).read_bytes()


def test_what_is_typed_is_saved_to_a_file_that_the_grader_reads(
    page: Page, tmp_path: Path
) -> None:
    field = page.locator("section:not([hidden]) input").first
    field.fill("2,5")
    page.locator("section:not([hidden]) textarea").first.fill('=HYPERLINK("x"), "so"\nsecond line')
    assert "not all saved" in page.locator("#said").inner_text()
    data = saved(page)
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[0]["points"] == "2.5"
    assert rows[0]["comment"].startswith("'=")
    # A colleague may have corrected what was not changed here.
    assert len(rows) == 1
    path = tmp_path / "written.csv"
    path.write_bytes(data)
    found = marks.read(path, {"5_beta": BETA})
    assert found["ada", QUESTION] == (
        2.5,
        '=HYPERLINK("x"), "so"\nsecond line',
        report("ada", PROOF, images={QUESTION: [PIXEL]}).digest(QUESTION),
    )
    go_to(page, "cy, =1+1")
    page.locator("section:not([hidden]) input").first.fill("4")
    path.write_bytes(saved(page))
    found = marks.read(path, {"5_beta": BETA})
    assert {key: mark[0] for key, mark in found.items()} == {
        ("ada", QUESTION): 2.5,
        ("cy, =1+1", QUESTION): 4,
    }


def test_points_that_cannot_be_are_not_saved_and_shown(page: Page) -> None:
    go_to(page, "bob")
    page.locator("section:not([hidden]) input").first.fill(str(MOST + 1))
    go_to(page, "ada")
    page.click("#save")
    assert "Not saved: bob" in page.locator("#said").inner_text()
    assert page.locator("section:not([hidden])").get_attribute("data-student") == "bob"
    field = page.locator("section:not([hidden]) input").first
    assert field.get_attribute("aria-invalid") == "true"


def test_nothing_typed_is_lost_when_the_page_is_closed_or_written_again(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    context = browser.new_context()
    page = context.new_page()
    address = write(tmp_path, report("ada", "A."), report("bob", "B."))
    page.goto(address)
    page.locator("section:not([hidden]) input").first.fill("4")
    page.locator("section:not([hidden]) textarea").first.fill("almost")
    warned = []

    def warn(dialog: Dialog) -> None:
        warned.append(dialog.type)
        dialog.accept()

    page.on("dialog", warn)
    page.close(run_before_unload=True)
    page.wait_for_event("close") if not page.is_closed() else None
    assert warned == ["beforeunload"]
    # Somebody else has marked in between, and the grader has run again.
    write(tmp_path, report("ada", "A.", 1.0), report("bob", "B.", 2.0))
    page = context.new_page()
    page.goto(address)
    shown = page.locator("section:not([hidden])")
    assert shown.locator("input").first.input_value() == "4"
    assert shown.locator("textarea").first.input_value() == "almost"
    assert "the table has 1" in shown.inner_text()
    assert page.locator("section[data-student=bob] input").first.input_value() == "2"
    context.close()


def test_a_draft_that_the_table_has_does_not_come_back_over_a_later_mark(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    address = write(tmp_path, report("ada", "A."), report("bob", "B."))
    page.goto(address)
    for student, points in (("ada", "4"), ("bob", "3")):
        go_to(page, student)
        page.locator("section:not([hidden]) input").first.fill(points)
    saved(page)
    # Changed again after saving, and not saved.
    page.locator("section:not([hidden]) input").first.fill("2")
    # The grader has read the file, and then somebody has corrected both marks.
    write(tmp_path, report("ada", "A.", 5.0), report("bob", "B.", 1.0))
    page = context.new_page()
    page.goto(address)
    shown = [page.locator(f"section[data-student={s}] input").first for s in ("ada", "bob")]
    assert [field.input_value() for field in shown] == ["5", "2"]
    assert [line.split(b",")[0] for line in saved(page).splitlines()[1:]] == [b'"bob"']
    context.close()


def test_what_was_typed_of_an_earlier_answer_is_shown_and_saved_as_such(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    page.goto(write(tmp_path, report("ada", "A.")))
    page.locator("section:not([hidden]) input").first.fill("4")
    # She hands in another answer, and the grader runs again.
    page = context.new_page()
    page.goto(write(tmp_path, report("ada", "Another.")))
    shown = page.locator("section:not([hidden])")
    assert shown.locator("input").first.input_value() == "4"
    assert "typed for an earlier answer" in shown.inner_text()
    path = tmp_path / "written.csv"

    def found() -> marks.Mark:
        path.write_bytes(saved(page))
        return marks.read(path, {"5_beta": BETA})["ada", QUESTION]

    assert found() == (4, "", report("ada", "A.").digest(QUESTION))
    # The table has it now, and says of which answer it is; the browser does not bring it back.
    old = report("ada", "Another.")
    old.earlier[QUESTION] = 4.0
    page = context.new_page()
    page.goto(write(tmp_path, old))
    shown = page.locator("section:not([hidden])")
    assert shown.locator("input").first.input_value() == ""
    assert "4 points were given to an earlier answer" in shown.inner_text()
    assert "0 of 2 marked" in page.locator("#said").inner_text()
    # The same points may be right for the new answer as well.
    shown.locator("input").first.fill("4")
    assert found() == (4, "", old.digest(QUESTION))
    context.close()


def test_a_draft_that_is_in_a_file_only_comes_back(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    address = write(tmp_path, report("ada", "A."))
    page.goto(address)
    page.click("#save")
    assert "Nothing to save" in page.locator("#said").inner_text()
    page.locator("section:not([hidden]) input").first.fill("4")
    saved(page)
    page = context.new_page()
    page.goto(address)
    assert page.locator("section:not([hidden]) input").first.input_value() == "4"
    assert "not all saved" not in page.locator("#said").inner_text()
    context.close()


def test_axe_finds_nothing_and_nothing_scrolls_sideways(page: Page) -> None:
    page.wait_for_timeout(500)
    page.evaluate("document.querySelectorAll('section').forEach(s => (s.hidden = false))")
    page.evaluate(AXE)
    found = page.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })")
    assert [
        (v["id"], [(n["html"][:200], n["failureSummary"]) for n in v["nodes"]])
        for v in found["violations"]
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
