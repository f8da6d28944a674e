"""What every chapter has, whatever it is about."""

import ast
import re
import symtable
from collections import Counter
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
import yaml

from vaebook import figures, live

ROOT = Path(__file__).resolve().parent.parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
DRAWING = {"curves", "film_strip", "heatmap", "image_grid", "manifold", "scatter", "slider"}
DRAWING |= {"class_violins", "film", "pairs", "parallel", "violins"}
LIVE = set(live.__all__) - {"BetaRun", "Live", "Twin", "pack"}
FUNCTIONS = {f"figures.{name}" for name in DRAWING | {"describe"}}
FUNCTIONS |= {f"live.{name}" for name in LIVE}
SCHEMATICS = {f"figures.schematics.{name}" for name in figures.schematics.__all__}
FUNCTIONS |= SCHEMATICS
LONGEST = 20  # lines of a visible cell
WIDEST = 76  # letters of a line of code on a page
FOLDED = {"hide-input", "hide-cell"}

each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook, valid."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def prose(path: Path) -> str:
    """All the markdown of a chapter."""
    return "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")


def code(path: Path) -> list[nbformat.NotebookNode]:
    """The code cells of a chapter."""
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def tree(source: str) -> ast.Module:
    """The syntax tree of a cell, magics apart."""
    return ast.parse("\n".join(line for line in source.split("\n") if line[:1] not in "%!"))


def drawings(source: str) -> list[ast.Call]:
    """The calls of a cell that draw with vaebook.figures or vaebook.live."""
    calls = [node for node in ast.walk(tree(source)) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) in FUNCTIONS]


def draws(source: str) -> bool:
    """Whether a cell leaves a figure on the page, by its last expression."""
    body = tree(source).body
    last = body[-1] if body else None
    called = isinstance(last, ast.Expr) and bool(drawings(ast.unparse(last)))
    return called or "plt." in source


def has_alt(cell: nbformat.NotebookNode) -> bool:
    """Whether a figure is described: alt= for plotly, the cell's metadata for a picture."""
    if cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip():
        return True
    calls = drawings(cell.source)
    return bool(calls) and all(
        # A schematic says itself what is to be seen, and describe() needs to be told.
        any(k.arg == "alt" for k in c.keywords)
        or ast.unparse(c.func) in SCHEMATICS | {"figures.describe"}
        for c in calls
    )


def listed() -> list[str]:
    """The files of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = toc.get("parts", [{"chapters": toc.get("chapters", [])}])
    return [chapter["file"] for part in parts for chapter in part["chapters"]]


def test_the_table_of_contents_lists_every_chapter_once_and_in_order() -> None:
    numbered = [name for name in listed() if name.startswith("chapters/") and name[9:11].isdigit()]
    assert numbered == [f"chapters/{path.stem}" for path in CHAPTERS]


def test_the_map_of_the_book_has_every_chapter_of_the_table_of_contents() -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    *parts, _ = toc["parts"]  # the last are the appendices
    drawn = [(title, len(chapters)) for title, chapters in figures.schematics.COURSE.items()]
    assert drawn == [(part["caption"], len(part["chapters"])) for part in parts]


@each_chapter
def test_a_chapter_opens_with_its_title_and_what_it_takes(path: Path) -> None:
    cells = read(path).cells
    assert cells[0].cell_type == "markdown"
    lines = [line for line in cells[0].source.split("\n") if line and not line.endswith(")=")]
    assert lines[0].startswith("# "), "the first line, but for a label, is the title"
    # A figure may come first, and the folded code that draws it.
    opening = "\n".join(c.source for c in cells[:5] if c.cell_type == "markdown").lower()
    assert "prerequisites" in opening or "you should know" in opening
    assert "minutes" in opening or "hour" in opening, "the time that the chapter takes"


@each_chapter
def test_a_chapter_closes_with_summary_exercises_and_references(path: Path) -> None:
    headings = [line[3:].strip() for line in prose(path).split("\n") if line.startswith("## ")]
    ends = [h for h in headings if h in ("Summary", "Exercises", "References")]
    assert sorted(ends) == ["Exercises", "References", "Summary"]
    assert headings[-1] == "References"
    assert "{bibliography}" in prose(path)
    assert "{exercise-start}" in prose(path) or "{exercise}" in prose(path)


@each_chapter
def test_a_sentence_stands_between_a_heading_and_what_it_heads(path: Path) -> None:
    lines = [line for line in prose(path).split("\n") if line and not re.match(r"\(.*\)=$", line)]
    for heading, after in pairwise(lines):
        if heading.startswith(("## ", "### ")):
            assert not re.match(r"#|\||[`:]+\{(prf:|admonition\} Predict)", after), heading


@each_chapter
def test_a_chapter_has_one_title(path: Path) -> None:
    assert len([line for line in prose(path).split("\n") if line.startswith("# ")]) == 1


@each_chapter
def test_compared_cells_have_count_and_output_and_no_other_cell_has(path: Path) -> None:
    for cell in code(path):
        tags = set(cell.metadata.get("tags", []))
        compared = "nbval-check-output" in tags
        assert compared == ("keep_output" in tags), "the two tags go together"
        if compared:
            assert cell.execution_count, f"never compared, no count: {cell.source[:60]}"
            assert cell.outputs, f"never compared, no output: {cell.source[:60]}"
            glued = {
                node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)
            }
            assert not glued & {"put", "glue"}, f"what is glued differs: {cell.source[:60]}"
        else:
            assert not cell.outputs, f"strip the output (make notebooks): {cell.source[:60]}"
            assert cell.execution_count is None, f"strip the count: {cell.source[:60]}"


@each_chapter
def test_a_chapter_compares_at_least_one_output(path: Path) -> None:
    assert any("nbval-check-output" in cell.metadata.get("tags", []) for cell in code(path))


def shown(path: Path) -> list[nbformat.NotebookNode]:
    """The cells whose code is on the page, at once or when unfolded."""
    return [cell for cell in code(path) if not tags(cell) & {"remove-cell", "remove-input"}]


def tags(cell: nbformat.NotebookNode) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def bare_folds(cells: list[nbformat.NotebookNode]) -> list[str]:
    """Folded code with nothing of its own on the page, right before other folded code."""
    found, silent = [], None
    for cell in cells:
        if cell.cell_type == "code" and "remove-cell" in tags(cell):
            continue
        folded = cell.cell_type == "code" and bool(tags(cell) & FOLDED)
        if folded and silent is not None:
            found.append(silent.source[:80])
        silent = cell if folded and not shows(cell) else None
    return found


def shows(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell leaves something on the page: by a figure, a print or its last value."""
    body = tree(cell.source).body
    calls = [node for node in ast.walk(tree(cell.source)) if isinstance(node, ast.Call)]
    names = {ast.unparse(call.func) for call in calls}
    value = body[-1].value if isinstance(body[-1], ast.Expr) else None
    helper = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)  # made above
    figure = cell.metadata.get("mystnb", {}).get("figure")
    return bool(figure or names & {"print", "display"} or (value and not helper))


@each_chapter
def test_code_that_is_shown_fits_the_column(path: Path) -> None:
    lines = [line for cell in shown(path) for line in cell.source.split("\n")]
    assert [line for line in lines if len(line) > WIDEST] == []


@each_chapter
def test_what_is_printed_fits_the_column(path: Path) -> None:
    texts = [output.get("text", "") for cell in shown(path) for output in cell.outputs]
    assert [line for text in texts for line in text.split("\n") if len(line) > WIDEST] == []


@each_chapter
def test_no_visible_cell_is_longer_than_a_screen(path: Path) -> None:
    for cell in shown(path):
        if not tags(cell) & FOLDED:
            assert len(cell.source.strip().split("\n")) <= LONGEST, cell.source[:80]


@each_chapter
def test_visible_code_uses_no_name_from_a_cell_that_the_page_leaves_out(path: Path) -> None:
    assert names_from_nowhere(code(path)) == []


def test_a_name_from_nowhere_is_found() -> None:
    def cell(source: str, *tags: str) -> nbformat.NotebookNode:
        return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})

    hidden = cell("import math\ndef f(): return 1\na, (b, *c) = 1, (2, 3)", "remove-cell")
    folded = cell("a = 1\nprint(f())", "hide-input")
    assert names_from_nowhere([hidden, cell("def g(a): return f() + b\nfor a in c: pass")]) == [
        {"f", "b", "c"}
    ]
    assert names_from_nowhere([hidden, cell("print([math.pi for b in (1, 2)])")]) == [{"math"}]
    assert names_from_nowhere([hidden, folded, cell("print(a)\nf = 2\nprint(f)")]) == []
    for source in ("a = a + 1", "a += 1", "print(a)\na = 2"):
        assert names_from_nowhere([hidden, cell(source)]) == [{"a"}]


def names_from_nowhere(cells: list[nbformat.NotebookNode]) -> list[set[str]]:
    """What each visible cell uses that only cells left out have defined before."""
    found, left_out, shown = [], set[str](), set[str]()
    for cell in cells:
        missing = set[str]()
        for statement in tree(cell.source).body:
            made, used = names(ast.unparse(statement))
            used |= made if isinstance(statement, ast.AugAssign) else set()
            if tags(cell) & {"remove-cell", "remove-input"}:
                left_out |= made
                continue
            # What a simple statement uses was there before it.
            simple = isinstance(statement, ast.Assign | ast.AugAssign | ast.Delete | ast.Expr)
            missing |= (used - shown - (set() if simple else made)) & left_out
            shown |= made
        if missing and not tags(cell) & FOLDED:
            found.append(missing)
    return found


def names(source: str) -> tuple[set[str], set[str]]:
    """The global names that code makes, and those that it uses."""
    made, used = set[str](), set[str]()
    tables = [symtable.symtable(source, "cell", "exec")]
    top = tables[0]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table is top and (symbol.is_assigned() or symbol.is_imported()):
                made.add(symbol.get_name())
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                used.add(symbol.get_name())
    return made, used


@each_chapter
def test_folded_code_in_a_row_is_in_one_fold(path: Path) -> None:
    assert bare_folds(read(path).cells) == []


def test_two_folds_in_a_row_are_found() -> None:
    def fold(source: str, tag: str = "hide-input") -> nbformat.NotebookNode:
        return nbformat.v4.new_code_cell(source, metadata={"tags": [tag]})

    helper, drawing = fold("def f():\n    return 1"), fold("figures.curves(s, alt='x')")
    between = fold("glue('a', 1)", "remove-cell")
    assert bare_folds([helper, between, drawing]) == [helper.source]
    assert bare_folds([drawing, drawing]) == []
    assert bare_folds([helper, nbformat.v4.new_markdown_cell("And"), drawing]) == []


@each_chapter
def test_no_table_is_made_by_hand(path: Path) -> None:
    sources = "\n".join(cell.source for cell in code(path))
    assert "<table" not in sources
    assert "to_html" not in sources


@each_chapter
def test_no_cell_prints_a_truth_value_alone(path: Path) -> None:
    for cell in code(path):
        for output in cell.outputs:
            words = output.get("text", "").replace("[", " ").replace("]", " ").replace(",", " ")
            assert not set(words.split()) <= {"True", "False"}, cell.source[-80:]


@each_chapter
def test_every_figure_has_name_caption_and_description(path: Path) -> None:
    for cell in code(path):
        if draws(cell.source):
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            assert figure.get("name"), f"no name: {cell.source[:80]}"
            assert figure.get("caption", "").strip(), f"no caption: {cell.source[:80]}"
            assert not re.match(r"[\d$]", figure["caption"]), f"begins with no word: {figure}"
            assert has_alt(cell), f"no description: {cell.source[:80]}"
            assert "meta=" not in cell.source, "meta holds the description: use describe()"


@each_chapter
def test_a_chapter_asks_for_images_and_not_where_they_are(path: Path) -> None:
    # But for the cell that looks whether this is Colab.
    for cell in code(path)[1:]:
        for word in ("VAEBOOK_", "environ", "getenv"):
            assert word not in cell.source, cell.source[:80]


@each_chapter
def test_a_chapter_that_may_get_other_digits_than_mnists_has_a_note_for_that(path: Path) -> None:
    sources = [cell.source for cell in code(path)]
    asks = [i for i, source in enumerate(sources) if "datasets.handwritten(" in source]
    notes = [i for i, source in enumerate(sources) if "figures.stand_in_note(" in source]
    assert len(notes) == bool(asks)
    # Where the reader is, before the figures.
    assert not asks or 0 <= notes[0] - asks[0] <= 2


def test_names_of_figures_are_unique_in_the_whole_book() -> None:
    cells = [cell for path in CHAPTERS for cell in code(path)]
    names = [cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in cells]
    assert [name for name, count in Counter(filter(None, names)).items() if count > 1] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("figures.scatter(z, alt='A cloud.')", True),
        ("figure = figures.scatter(z, alt='A cloud.')", False),
        ("figure = figures.curves(s, alt='x')\nfigure.show()", False),
        ("%pip install vaebook\nfigures.image_grid(x, alt='x').update_layout(title='y')", True),
        ("figures.schematics.course()", True),
        ("z.mean()", False),
    ],
)
def test_cells_that_draw_are_told_from_those_that_do_not(source: str, expected: bool) -> None:
    assert draws(source) is expected
