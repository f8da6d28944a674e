"""What pages offer beside their text: reports, citations, previews, lists, the index."""

import doctest
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

import reading
import register
from tests.book.test_labels import LABELS

ROOT = Path(__file__).resolve().parents[2]
FORM = ROOT / ".github" / "ISSUE_TEMPLATE" / "page.yml"
REPOSITORY = "https://github.com/some-body/a.book"

FIRST = r"""# First

Here is {prf:ref}`thm:far`, {ref}`sec:far`, {eq}`eq-far`, {term}`code` and {numref}`fig-far`.

## A section & more

The *code* of an image, and again its *code*. Elsewhere: *aggregate posteriors* and *nothing*.

```{results}
```
"""
SECOND = r"""# Second

(sec:far)=
## Far away

$$a = b$$ (eq-far)

```{prf:theorem} Of far away
:label: thm:far

By {ref}`sec:far`, $x = \frac12$.
```

```{prf:definition} Nothing
:label: def:nothing

Nothing.
```

```{prf:remark}
:label: rem:none

It claims nothing.
```

```{figure} dot.svg
:name: fig-far
:alt: A dot.

What is to be seen.
```
"""
TERMS = """# Terms

```{glossary}
aggregate posterior
  The mixture.

code
  What the encoder makes.
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A book of three pages, with all that Sphinx had to complain about."""
    source = tmp_path_factory.mktemp("book")
    for name, text in {"index": FIRST, "second": SECOND, "terms": TERMS}.items():
        (source / f"{name}.md").write_text(text, encoding="utf-8")
    with (source / "index.md").open("a", encoding="utf-8") as index:
        index.write("\n```{toctree}\nsecond\nterms\n```\n")
    (source / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', encoding="utf-8")
    settings = {
        # Said here, since another book built in this process leaves its own suffixes behind.
        "source_suffix": {".rst": "restructuredtext", ".md": "markdown"},
        "extensions": ["myst_parser", "sphinx_proof", "reading", "register"],
        "myst_enable_extensions": ["dollarmath"],
        "html_theme_options": {},
        "numfig": True,
        "nitpicky": True,
        "html_theme": "sphinx_book_theme",
    }
    settings["html_theme_options"] = {"repository_url": REPOSITORY}
    said = io.StringIO()
    with docutils_namespace(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(register, "GLOSSARY", source / "terms.md")
        app = Sphinx(
            source, None, source / "out", source / "tree", "html", settings, None, said, True
        )
        app.build()
    return source / "out", said.getvalue()


class _Parser(HTMLParser):
    """The ids, links and open tags of some HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def page(built: tuple[Path, str], name: str) -> str:
    """The HTML of a page."""
    return (built[0] / f"{name}.html").read_text(encoding="utf-8")


def previews(markup: str) -> dict[str, str]:
    """The previews that a page carries."""
    pattern = r'<template data-preview="([^"]*)">(.*?)</template>'
    return dict(re.findall(pattern, markup, re.DOTALL))


def test_the_examples_hold() -> None:
    for module in (reading, register):
        assert doctest.testmod(module).failed == 0


def test_the_pages_are_built_without_a_warning(built: tuple[Path, str]) -> None:
    assert built[1] == ""


def test_every_section_has_a_report_that_names_page_and_section(built: tuple[Path, str]) -> None:
    links = [
        attributes["href"]
        for tag, attributes in _Parser(page(built, "index")).found
        if tag == "a" and attributes.get("class") == "vaebook-report"
    ]
    (address,) = links
    url = urlsplit(address)
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{REPOSITORY}/issues/new"
    assert parse_qs(url.query) == {
        "template": ["page.yml"],
        "title": ["First: A section & more"],
        "where": ["index.html#a-section-more"],
    }


def test_the_form_of_the_report_has_the_fields_that_the_link_fills() -> None:
    form = yaml.safe_load(FORM.read_text(encoding="utf-8"))
    assert "where" in [part.get("id") for part in form["body"]]


def test_a_page_ends_with_its_citation(built: tuple[Path, str]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (entry,) = re.findall(r"<pre>(@incollection.*?)</pre>", page(built, "second"), re.DOTALL)
    assert "title     = {{Second}}" in entry
    for value in (citation["title"], citation["version"], citation["repository-code"]):
        assert value in entry
    whole = reading.bibtex("intro", "Welcome", citation)
    assert whole.startswith("@misc{vaebook,\n")
    assert "Welcome" not in whole


def test_an_entry_is_balanced_and_its_title_is_fit_for_latex() -> None:
    book = {
        "title": "B",
        "authors": [{"name": "A"}],
        "version": "1",
        "date-released": "2026-01-01",
    }
    entry = reading.bibtex("chapters/07_a", "Q & A", book | {"repository-code": "https://a"})
    assert entry.count("{") == entry.count("}")
    assert r"Q \& A" in entry
    assert "chapter   = {7}" in entry


def test_what_stands_on_another_page_comes_as_a_preview(built: tuple[Path, str]) -> None:
    shown = previews(page(built, "index"))
    assert set(shown) == {
        "second.html#def:nothing",
        "second.html#thm:far",
        "second.html#equation-eq-far",
        "second.html#fig-far",
        "terms.html#term-code",
    }
    assert r"\(x = \frac12\)" in shown["second.html#thm:far"]
    assert "What is to be seen." in shown["second.html#fig-far"]
    assert "dot.svg" not in shown["second.html#fig-far"]
    assert "What the encoder makes." in shown["terms.html#term-code"]
    assert previews(page(built, "second")) == {}


def test_a_formula_keeps_its_room_and_its_source(built: tuple[Path, str]) -> None:
    text = page(built, "second")
    (span,) = re.findall(r'<span class="math notranslate nohighlight"[^>]*>[^<]*</span>', text)
    assert span.endswith(r">\(x = \frac12\)</span>")
    assert 'style="--room: ' in span
    narrow, wide = reading.room(r"\(z\)"), reading.room(r"\(\mathcal{N}(z; \mu, \Lambda)\)")
    assert 0 < narrow < 1 < wide < 8


def test_a_preview_has_no_names_and_no_links(built: tuple[Path, str]) -> None:
    for markup in previews(page(built, "index")).values():
        for tag, attributes in _Parser(markup).found:
            assert tag != "a"
            assert "id" not in attributes


def test_results_are_listed_in_order_with_number_and_title(built: tuple[Path, str]) -> None:
    text = re.sub(r"<[^>]*>", "", page(built, "index"))
    first, second = text.index("Theorem 1 (Of far away)"), text.index("Definition 1 (Nothing)")
    assert first < second
    assert 'href="second.html#thm:far"' in page(built, "index")
    assert "rem:none" not in page(built, "index"), "a remark claims nothing"


def test_the_index_leads_to_results_and_to_terms_where_they_are_met(
    built: tuple[Path, str],
) -> None:
    index = page(built, "genindex")
    targets = {
        "Of far away (theorem)": "second.html#thm:far",
        "code": "index.html#index-code",
        "aggregate posterior": "index.html#index-aggregate-posterior",
    }
    for entry, target in targets.items():
        assert f'href="{target}"' in index, entry
        assert f">{entry}</a>" in index or f"<td>{entry}" in index or entry in index
    home = page(built, "index")
    assert home.count('id="index-code"') == 1, "where it is met first"
    assert "index-nothing" not in home, "no term of the glossary"


def test_the_index_sorts_results_without_their_articles_and_lists_them_by_themselves() -> None:
    names = ["A shape (proposition)", "Autoencoder (class in models)", "The best (lemma)", "rate"]
    place = [("main", "page.html#here")]
    entries: list[register.Entry] = [(name, (place, [], None)) for name in names]
    entries[1][1][1].extend([("(definition)", place), ("(in module live)", place)])
    found = register.ordered(entries)
    assert [(letter, [entry[0] for entry in group]) for letter, group in found] == [
        ("A", ["Autoencoder (class in models)", "Autoencoder (definition)"]),
        ("B", ["The best (lemma)"]),
        ("R", ["rate"]),
        ("S", ["A shape (proposition)"]),
    ]
    assert [sub for sub, _ in found[0][1][0][1][1]] == ["(in module live)"]


def test_the_glossary_is_sorted_and_says_what_each_term_means() -> None:
    text = register.GLOSSARY.read_text(encoding="utf-8")
    known = register.terms(text)
    assert len(known) > 50
    assert len(set(known)) == len(known)
    (block,) = re.findall(r"^```\{glossary\}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for entry in re.split(r"\n\n", block.strip())[1:]:
        assert re.search(r"^  \S.*\.$", entry, re.MULTILINE), entry


def test_every_kind_of_result_is_listed() -> None:
    kinds = {label.split(":")[0] for labels in LABELS.values() for label in labels if label}
    assert {"thm", "prop", "lem", "cor", "def"} <= kinds
    for kind in ("theorem", "proposition", "lemma", "corollary", "definition", "algorithm"):
        assert kind not in register.ASIDE


def test_what_a_cell_prints_in_pieces_stays_on_its_line() -> None:
    def stream(text: str) -> NotebookNode:
        return NotebookNode(output_type="stream", name="stdout", text=text)

    drawn = NotebookNode(output_type="display_data", data={})
    told = reading.joined([stream("precision 0.84, "), stream("recall 0.84\n"), drawn])
    assert [output.get("text") for output in told] == ["precision 0.84, recall 0.84\n", None]
    assert reading.joined([]) == []
