"""Tables: what is read in them, how it is set, and what they refuse."""

import math
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from vaebook import figures

ROWS = [["pCN", 0.123, 1234, "3 to 5"], ["random walk", -0.5, None, "7"]]
COLUMNS = ["kernel", "ESS", "calls", "z<sub>1</sub>"]


class Reader(HTMLParser):
    """The cells of a table: tag, attributes and text of each, row by row."""

    def __init__(self, table: figures.Table) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, dict, str]]] = []
        self.open: list[str] = []
        self.feed(table._repr_html_())

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append((tag, dict(attributes), ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        tag, attributes, before = self.rows[-1][-1]
        self.rows[-1][-1] = (tag, attributes, before + text)


def read(table: figures.Table) -> list[list[str]]:
    """The words of each row."""
    return [[text.replace("\xa0", " ") for _, _, text in row] for row in Reader(table).rows]


def test_cells_are_written_as_numbers_are():
    assert read(figures.table(ROWS, COLUMNS)) == [
        ["kernel", "ESS", "calls", "z1"],
        ["pCN", "0.12", "1,234", "3 to 5"],
        ["random walk", "−0.50", "–", "7"],
    ]


def test_headings_of_rows_and_columns_say_what_they_head():
    head, *body = Reader(figures.table(ROWS, COLUMNS)).rows
    assert {(tag, attributes["scope"]) for tag, attributes, _ in head} == {("th", "col")}
    for (tag, attributes, _), *cells in body:
        assert (tag, attributes["scope"]) == ("th", "row")
        assert {tag for tag, _, _ in cells} == {"td"}


def test_numbers_end_and_words_begin_at_one_line():
    rows = [["a", 1.0, "yes", "2 (1 to 3)", "4 %"], ["b", None, "12 or so", "5", "1.5 ± 0.1"]]
    for row in Reader(figures.table(rows, list("vwxyz"))).rows:
        sides = [attributes["style"].split(";")[0] for _, attributes, _ in row]
        expected = ["start", "end", "start", "end", "end"]
        assert sides == [f"text-align: {side}" for side in expected]


def test_a_range_is_not_broken_but_may_stand_below_its_middle():
    _, (_, (*_, text)) = Reader(figures.table([["a", "1.5 (1 to 2)"]], ["x", "y"])).rows
    assert text == "1.5 (1\xa0to\xa02)"


def test_a_name_is_not_broken_at_its_hyphens():
    cells = ["fashion-mlp-20d", "fashion-mlp-20d", "two 28-pixel images"]
    _, row = Reader(figures.table([cells], ["recipe", "next", "start"])).rows
    whole = ["white-space: nowrap" in attributes["style"] for _, attributes, _ in row]
    assert whole == [True, True, False]


def test_words_are_not_broken_at_an_equals_sign_and_numbers_nowhere():
    rows = [
        ["Gumbel, τ = 1", "below 1", "0.04 (4 of 5)"],
        ["two", "3.85 (3.26 to 4.92)", "1 of 5"],
    ]
    _, first, second = Reader(figures.table(rows, list("xyz"))).rows
    assert [text for *_, text in first] == [
        "Gumbel, τ\xa0=\xa01",
        "below 1",
        "0.04 (4\xa0of\xa05)",
    ]
    assert [text for *_, text in second] == ["two", "3.85 (3.26\xa0to\xa04.92)", "1\xa0of\xa05"]


def test_parts_of_a_wide_table_repeat_the_columns_that_tell_its_rows_apart():
    rows = [[target, kernel, *[12.5] * 8] for target in ("all", "few") for kernel in "ab"]
    headings = ["target", "kernel", *(f"samples of chain {i}" for i in range(8))]
    html = figures.table(rows, headings)._repr_html_()
    _, whole, *parts = html.split("<table>")
    assert len(parts) > 1
    assert whole.count(">kernel<") == 1
    assert all(part.count(">kernel<") == 1 for part in parts)
    assert sum(part.count(">samples of chain 3<") for part in parts) == 1


def test_each_cell_names_its_column_and_a_wide_table_is_some_narrow_ones_as_well():
    narrow = figures.table(ROWS, COLUMNS)
    for _, *cells in Reader(narrow).rows[1:]:
        assert [attributes["data-heading"] for _, attributes, _ in cells] == [
            "ESS", "calls", "z1"
        ]  # fmt: skip
    assert "vaebook-table-" not in narrow._repr_html_()
    wide = figures.table([["a", *["1.25 (1.00 to 1.50)"] * 5]], list("uvwxyz"))
    found = ["1.25 (1.00 to 1.50)"] * 5
    assert read(wide) == [
        list("uvwxyz"), ["a", *found],
        list("uvwx"), ["a", *found[:3]],
        list("uyz"), ["a", *found[:2]],
    ]  # fmt: skip


def test_a_table_of_long_texts_has_a_block_for_each_row_on_a_phone():
    words = "what was found, and by which measure it was found"
    texts = figures.table([["a", words, words, words]], ["name", "b", "c", "d"])
    assert "vaebook-table-wide" in texts._repr_html_()


def test_mappings_are_read_by_key_and_the_rest_is_left_out():
    rows = [{"beta": 0.5, "kl": 3.25, "seed": 7}, {"kl": 1, "beta": 10}]
    table = figures.table(rows, {"beta": "β", "kl": "KL"}, digits=1)
    assert read(table) == [["β", "KL"], ["0.5", "3.2"], ["10", "1"]]
    assert read(figures.table(rows, ["kl"])) == [["kl"], ["3.25"], ["1"]]


def test_numbers_of_torch_and_numpy_are_numbers():
    table = figures.table([["a", torch.tensor(0.5), np.int64(3), np.bool_(True)]], list("wxyz"))
    assert table.rows == (("a", "0.50", "3", "yes"),)


def test_words_can_slant_and_no_more():
    html = figures.table([["<i>q</i>", "<script>x</script>"]], ["a & b", "c"])._repr_html_()
    assert "<i>q</i>" in html
    assert "&lt;script&gt;" in html
    assert "a &amp; b" in html


def test_as_text_the_columns_are_aligned():
    assert repr(figures.table(ROWS, COLUMNS)).splitlines() == [
        "kernel         ESS  calls      z1",
        "pCN           0.12  1,234  3 to 5",
        "random walk  −0.50      –       7",
    ]


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([], ["x"], "rows must be at least one"),
        ([["a", 1]], ["x"], "rows must be of 1 cells, one per column, got .* as row 0"),
        ([["a"]], [], "columns must be headings"),
        ([["a"]], "x", "columns must be headings"),
        ([{"a": 1}], ["b"], r"rows must have all keys of columns, row 0 lacks \['b'\]"),
        ([["a"]], {"a": "x"}, "rows must be mappings"),
        ([["a", math.nan]], ["x", "y"], "finite numbers or None, got nan in row 0, column 1"),
        ([["a", [1]]], ["x", "y"], r"got \[1\] in row 0, column 1"),
    ],
)
def test_what_is_no_table_is_refused(rows, columns, message):
    with pytest.raises(ValueError, match=message):
        figures.table(rows, columns)


def test_columns_of_which_none_fits_beside_another_are_a_part_each_on_a_phone() -> None:
    long = "an unbreakable_name_of_it"
    table = figures.table([["first row", 1, 2, 3]], ["", *[f"{long}_{k}" for k in range(3)]])
    parts = table._repr_html_().partition("vaebook-table-parts")[2]
    assert parts.count("<table") == 3
