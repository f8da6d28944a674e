"""Tables on the width of a phone and of a desktop, in the style of the pages."""

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.site.conftest import NewPage
from vaebook import figures

FOLDER = Path(__file__).parents[2] / "_static"
STYLE = (FOLDER / "vaebook.css").read_text(encoding="utf-8")
SCRIPT = "".join(
    (FOLDER / f"vaebook-{name}.js").read_text(encoding="utf-8") for name in ("theme", "lines")
)
# With this margin a column of 312 pixels, as a phone of 360 has it, is on a window of 344.
PAGE = (
    '<!doctype html><meta name="viewport" content="width=device-width"><style>body {{ font: 16px '
    'Arial, sans-serif; margin: 16px }}{}</style><main class="bd-content">{}</main>'
)
WORDS = "what was found, and by which measure it was found, in whole words"
EVERY = {
    "ranges": figures.table(
        [[beta, *["1,076.5 (1,040.1 to 1,112.9)"] * 6] for beta in (0.1, 1.0)],
        ["β", "rate", "error", "latents", "ELBO at β = 1", "calibrated ELBO", "distance"],
    ),
    "words": figures.table(
        [[f"claim {i}", WORDS, WORDS, "not reproduced"] for i in (1, 2)],
        ["claim", "measured by", "result", "verdict"],
    ),
    "recipes": figures.table(
        [["fashion-mlp-20d", "15/16", *[-120.5] * 6]],
        [
            "recipe",
            "active",
            "ELBO grey",
            "ELBO binary",
            "KL",
            "log p(x) weighted",
            "grid",
            "error",
        ],
    ),
    "pairs": figures.table(
        [
            [target, kernel, *["12.5 ± 2.8"] * 4, "0.85 (0.76 to 0.95)"]
            for target, kernel in (("0 of 16", "pCN"), ("0 of 16", "walk"), ("4 of 16", "pCN"))
        ],
        ["informed", "kernel", "samples", "per step", "per call", "per second", "ratio"],
    ),
    "seeds": figures.table(
        [
            [f"3, seed {k}", "9 of 12", "0 6 2 3 5 8 9 4 7 1", "1 7 9 4 6 0 5 3 8 2"]
            for k in (0, 1)
        ],
        ["rate", "runs", "the shortest path by the distance", "and by the density"],
    ),
    "narrow": figures.table([["pCN", 0.5, 12], ["walk", 0.1, 12]], ["kernel", "ESS", "calls"]),
}


@pytest.mark.parametrize("name", EVERY)
def test_no_table_is_cut_on_a_phone_and_every_number_has_its_heading(
    new_page: NewPage, name: str
) -> None:
    page = new_page(viewport={"width": 344, "height": 700})
    page.set_content(PAGE.format(STYLE, EVERY[name]._repr_html_()))
    frames = page.locator(".vaebook-table:visible")
    over = "(boxes) => boxes.map((box) => box.scrollWidth - box.clientWidth)"
    assert max(frames.evaluate_all(over)) <= 0
    label = "(cell) => getComputedStyle(cell, '::before').content"
    cells = frames.locator("td:visible")
    labels = cells.evaluate_all(f"(cells) => cells.map({label})")
    headings = list(EVERY[name].headings[1:])
    if name == "pairs":  # each part names both
        headings += (frames.locator("table:visible").count() - 1) * ["kernel"]
    stacked = [f'"{heading}"' for _ in EVERY[name].rows for heading in headings]
    assert labels == (stacked if name == "words" else ["none"] * len(stacked))
    # Under its heading where it has none of its own.
    above = "(cell) => cell.closest('table').rows[0].cells[cell.cellIndex].textContent"
    heads = cells.evaluate_all(f"(cells) => cells.map({above})")
    heads = [head.replace("\xa0", " ") for head in heads]
    assert sorted(heads) == sorted(len(EVERY[name].rows) * headings)
    page.close()


def test_each_part_of_a_wide_table_names_its_rows(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 344, "height": 700})
    page.set_content(PAGE.format(STYLE, EVERY["ranges"]._repr_html_()))
    names = page.locator("table:visible").evaluate_all(
        "(tables) => tables.map((t) => [...t.rows].map((row) => row.cells[0].textContent))"
    )
    assert len(names) > 1
    assert all(found == ["β", "0.1", "1"] for found in names)
    page.close()


def test_every_part_says_which_row_is_which(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 344, "height": 700})
    page.set_content(PAGE.format(STYLE, EVERY["pairs"]._repr_html_()))
    rows = page.locator("tbody:visible").evaluate_all(
        "(parts) => parts.map((part) => [...part.rows].map((row) => row.innerText))"
    )
    assert len(rows) > 1
    begins = [["\t".join(row.split("\t")[:2]) for row in part] for part in rows]
    assert all(part == ["0 of 16\tpCN", "0 of 16\twalk", "4 of 16\tpCN"] for part in begins)
    page.close()


def test_few_words_stay_on_one_line_on_a_phone(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 344, "height": 700})
    page.set_content(PAGE.format(STYLE, EVERY["seeds"]._repr_html_()))
    names = page.locator("tbody th:visible, tbody td:nth-child(2):visible")
    lines = names.evaluate_all(
        """(cells) => cells.map((cell) => {
          const words = document.createRange();
          words.selectNodeContents(cell);
          return new Set([...words.getClientRects()].map((line) => line.top)).size;
        })"""
    )
    assert set(lines) == {1}
    page.close()


def test_on_a_desktop_names_of_recipes_stand_on_one_line(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 730, "height": 700})  # a column of 698 pixels
    page.set_content(PAGE.format(STYLE, EVERY["recipes"]._repr_html_()))
    frame = page.locator(".vaebook-table:visible")
    assert frame.evaluate("(box) => box.scrollWidth - box.clientWidth") <= 0
    assert (
        page.locator("tbody tr:visible").evaluate("(row) => row.clientHeight") < 36
    )  # two have 43
    page.close()


def test_on_a_desktop_a_wide_table_has_rows_and_columns(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 1280, "height": 700})
    page.set_content(PAGE.format(STYLE, EVERY["ranges"]._repr_html_()))
    tops = "(cells) => [...new Set(cells.map((cell) => cell.getBoundingClientRect().top))]"
    assert len(page.locator("tbody td:visible").evaluate_all(tops)) == 2
    assert page.locator("thead:visible").count() == 1
    page.close()


def test_the_stripe_of_a_row_lies_under_cells_that_were_hidden_for_their_formulas(
    new_page: NewPage,
) -> None:
    page = new_page(viewport={"width": 600, "height": 200})
    reading = (FOLDER / "vaebook-reading.css").read_text(encoding="utf-8")
    theme = "tr { background: #800 } td { background-color: transparent; padding: 20px 60px }"
    cells = '<td><span class="math">x</span></td><td>y</td>'
    page.set_content(
        f'<!doctype html><html class="vaebook-unset"><style>{theme}{STYLE}{reading}</style>'
        f'<main class="bd-article"><table class="table"><tbody><tr>{cells}</tr></tbody></table>'
    )
    page.screenshot()
    page.evaluate("document.documentElement.classList.remove('vaebook-unset')")
    corner = "(cells) => cells.map((c) => [c.offsetLeft + 20, c.offsetTop + 20])"
    places = page.locator("td").evaluate_all(corner)
    seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    assert {seen.getpixel((left, top)) for left, top in places} == {(136, 0, 0)}
    page.close()


def of_the_text(headings: list[str], row: list[str]) -> str:
    """A table of the text as the theme frames it, with a script before it."""
    head = "".join(f"<th><p>{heading}</p></th>" for heading in headings)
    cells = "".join(f"<td><p>{cell}</p></td>" for cell in row)
    rows = f"<thead><tr>{head}</tr></thead><tbody><tr>{cells}</tr></tbody>"
    table = f'<table class="table">{rows}</table>'
    frame = f'<div class="pst-scrollable-table-container" style="overflow: auto">{table}</div>'
    return f'<script>{SCRIPT}</script><article class="bd-article">{frame}</article>'


@pytest.mark.parametrize(("words", "stacked"), [(WORDS, True), ("0.5", False)])
def test_a_table_of_the_text_with_six_columns_of_sentences_is_stacked_on_a_phone(
    new_page: NewPage, words: str, stacked: bool
) -> None:
    headings = ["name", "first", "second", "third", "fourth", "fifth"]
    page = new_page(viewport={"width": 344, "height": 700})
    page.set_content(PAGE.format(STYLE, of_the_text(headings, ["pCN", words, *["1"] * 4])))
    frame = page.locator(".pst-scrollable-table-container")
    assert frame.evaluate("(box) => box.scrollWidth - box.clientWidth") <= 0
    label = "(cells) => cells.map((cell) => getComputedStyle(cell, '::before').content)"
    found = frame.locator("td").evaluate_all(label)
    assert found == ["none", *([f'"{h}"' for h in headings[1:]] if stacked else ["none"] * 5)]
    page.close()


@pytest.mark.parametrize("width", [344, 1280])
def test_names_in_a_table_of_the_text_break_between_their_parts_and_on_a_phone_only(
    new_page: NewPage, width: int
) -> None:
    name = '<code><span class="pre">01_from_autoencoders_to_vaes.ipynb</span></code>'
    page = new_page(viewport={"width": width, "height": 700})
    page.set_content(PAGE.format(STYLE, of_the_text(["chapter", "says"], [name, 3 * WORDS])))
    lines = page.locator("td .pre").evaluate(
        """(name) => {
          const lines = new Map();
          for (const node of name.childNodes) {
            if (node.nodeType !== Node.TEXT_NODE) continue;
            for (let i = 0; i < node.length; i++) {
              const letter = document.createRange();
              letter.setStart(node, i);
              letter.setEnd(node, i + 1);
              const { top } = letter.getBoundingClientRect();
              lines.set(top, (lines.get(top) ?? "") + node.data[i]);
            }
          }
          return [...lines.values()];
        }"""
    )
    assert "".join(lines) == "01_from_autoencoders_to_vaes.ipynb"
    assert (len(lines) > 1) == (width == 344)
    assert all(line[-1] in "_." for line in lines[:-1]), lines
    page.close()
