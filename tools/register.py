"""The lists at the end of the book: its results, and an index that leads to where terms are met.

A Sphinx extension. `.. results::` lists the numbered results, chapter by chapter, from their
labels. The index has every result by its title, and every term of the glossary at the place where
a chapter first writes it in italics.
"""

import re
import unicodedata
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

import vaebook

GLOSSARY = Path(__file__).resolve().parent.parent / "chapters" / "reference.md"
# What claims or defines nothing by itself.
ASIDE = ("proof", "remark", "example", "observation", "note")
# An entry of Sphinx's index: its name, then its places, the entries below it, and a key.
Entry = tuple[str, tuple[list[Any], list[tuple[str, list[Any]]], Any]]


def terms(text: str) -> dict[str, str]:
    """Return the terms of a glossary, by how they are found: small letters, no plural.

    Example:
        >>> terms("```{glossary}\\nKL divergence\\ndivergence\\n  What it is.\\n```\\n")
        {'kl divergence': 'KL divergence', 'divergence': 'divergence'}
    """
    glossary = re.search(r"^```\{glossary\}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = glossary[1].splitlines() if glossary else []
    names = [line.strip() for line in lines if line[:1].strip() and not line.startswith(":")]
    return {singular(name): name for name in names}


def singular(term: str) -> str:
    """Return a term as it is looked up.

    Example:
        >>> singular("Aggregate posteriors"), singular("loss")
        ('aggregate posterior', 'loss')
    """
    return re.sub(r"(?<=[^s])s$", "", " ".join(term.lower().split()))


def is_result(node: nodes.Node) -> bool:
    """Tell whether a node is a result or a definition, with a number."""
    return isinstance(node, nodes.Element) and node.get("realtype", "proof") not in ASIDE


class Index(SphinxTransform):
    """Index a page's results by their titles, and its terms where they first stand in italics."""

    default_priority = 840  # before Sphinx collects the entries

    def apply(self, **kwargs: Any) -> None:
        known = terms(GLOSSARY.read_text(encoding="utf-8"))
        for result in list(self.document.findall(is_result)):
            if title := result["title"].strip("() "):
                self._enter(result, f"{title} ({result['realtype']})", result["ids"][0])
        met = set()
        for words in list(self.document.findall(nodes.emphasis)):
            term = known.get(singular(words.astext()))
            if term and term not in met:
                met.add(term)
                words["ids"].append(name := "index-" + nodes.make_id(term))
                self._enter(words, term, name)

    def _enter(self, node: nodes.Element, entry: str, name: str) -> None:
        index = addnodes.index(entries=[("single", entry, name, "", None)])
        node.parent.insert(node.parent.index(node), index)


def words(entry: str) -> str:
    """Return what an entry of the index is sorted by: an article in front does not count.

    Example:
        >>> words("The ELBO is a lower bound"), words("Fréchet distance")
        ('elbo is a lower bound', 'fre\u0301chet distance')
    """
    return unicodedata.normalize("NFD", re.sub(r"^(A|An|The) ", "", entry).lower())


def ordered(entries: list[Entry]) -> list[tuple[str, list[Entry]]]:
    """Return the entries of the index under their letters; a result has an entry of its own.

    Sphinx puts "(definition)" below a class of the same name.
    """
    apart: list[Entry] = []
    for name, (places, below, key) in entries:
        own = [(sub, found) for sub, found in below if sub == "(definition)"]
        apart += [(name, (places, [b for b in below if b not in own], key))]
        apart += [(f"{name.partition(' (')[0]} {sub}", (found, [], None)) for sub, found in own]
    apart.sort(key=lambda entry: words(entry[0]))
    return [(k, list(g)) for k, g in groupby(apart, lambda entry: words(entry[0])[0].upper())]


def sort_index(app: Sphinx, page: str, template: str, context: dict[str, Any], _: Any) -> None:
    """Sort the index anew."""
    if page == "genindex":
        found = ordered([entry for _, group in context["genindexentries"] for entry in group])
        context["genindexentries"] = found
        context["genindexcounts"] = [sum(1 + len(e[1][1]) for e in group) for _, group in found]


class results(nodes.General, nodes.Element):
    """Stands where the list comes, until all chapters have been read."""


class Results(SphinxDirective):
    """Hold the place of the list of results."""

    def run(self) -> list[nodes.Node]:
        return [results()]


def read_chapter(app: Sphinx, doctree: nodes.document) -> None:
    """Note the results of a page, with their titles as they are set there."""
    found = {
        node["label"]: [child.deepcopy() for child in node[0]]
        for node in doctree.findall(is_result)
    }
    _noted(app.env)[app.env.docname] = found


def forget_chapter(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Drop what was noted of a page that has changed or is gone."""
    _noted(env).pop(docname, None)


def _noted(env: Any) -> dict[str, dict[str, list[nodes.Node]]]:
    if not hasattr(env, "vaebook_results"):
        env.vaebook_results = defaultdict(dict)
    return env.vaebook_results


def listed(app: Sphinx, docname: str, chapter: str) -> nodes.bullet_list:
    """Return the results of a chapter as links with their numbers and titles."""
    env: Any = app.env
    items = nodes.bullet_list()
    for label, title in _noted(env)[chapter].items():
        result = env.proof_list[label]
        place = env.toc_fignumbers[chapter][result["countertype"]][label]
        number = ".".join(map(str, place))
        text = nodes.Text(f"{result['realtype'].title()} {number}")
        line = nodes.paragraph("", "", make_refnode(app.builder, docname, chapter, label, text))
        line += title
        items += nodes.list_item("", line)
    return items


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put in the list, in the order of the book."""
    for place in list(doctree.findall(results)):
        chapters = nodes.definition_list()
        for chapter in sorted(name for name, found in _noted(app.env).items() if found):
            title = app.env.titles[chapter]
            link = make_refnode(app.builder, docname, chapter, "", nodes.Text(title.astext()))
            body = nodes.definition("", listed(app, docname, chapter))
            chapters += nodes.definition_list_item("", nodes.term("", "", link), body)
        place.replace_self(chapters)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect everything with Sphinx."""
    app.add_node(results)
    app.add_directive("results", Results)
    app.add_transform(Index)
    app.connect("doctree-read", read_chapter)
    app.connect("env-purge-doc", forget_chapter)
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", sort_index)
    return {"version": vaebook.__version__, "parallel_read_safe": False}
