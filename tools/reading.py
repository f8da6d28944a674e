"""What a page offers beside its text: a report of a fault, its citation, previews of references.

A Sphinx extension. Each section has a link that opens a report at the repository, filled in with
page and section; the end of a page has its entry for BibTeX. What a page refers to on other pages
is put at its end, in templates that `_static/vaebook-previews.js` shows.
"""

import html
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import yaml
from myst_nb.core import render
from myst_nb.core.utils import coalesce_streams
from nbformat import NotebookNode
from sphinx.application import Sphinx

import vaebook

ROOT = Path(__file__).resolve().parent.parent

_HEADING = re.compile(
    r'<h2>(.*?)(<a class="headerlink" href="#([^"]*)"[^>]*>#</a>)</h2>', re.DOTALL
)
_ELSEWHERE = re.compile(r'<a class="reference internal" href="([\w./-]+\.html)#([^"]+)"')
# The link in the title of a solution begins with the space before it.
_SOLUTION = re.compile(r'(?<=<p class="admonition-title">Solution to)(<a [^>]*>) ')
# After a number, or the element that holds one; not in what is shown or kept as it is.
_PER_CENT = re.compile(r"<(code|pre|script|style)\b.*?</\1>|(?<=[\d>]) (?=%)", re.DOTALL)
_TAGS = re.compile(r"<[^>]*>")
_FORMULA = re.compile(
    r'<span class="math notranslate nohighlight">(\\\(.*?\\\))</span>', re.DOTALL
)
# What TeX says of a formula's form, and what takes more room than a letter.
_FORM = re.compile(
    r"\\(?:bar|big[lr]?|bigg[lr]?|boldsymbol|frac|hat|left|math\w+|operatorname|right|sqrt|text|tilde"
    r"|underbrace)(?![a-zA-Z])|\\[,;:!(){}]|[{}^_&\s]"
)
_WIDE = re.compile(
    r"[=<>+-]|\\(?:approx|cdot|ge|in|le|mid|ne|pm|propto|sim|times|to|\|)(?![a-zA-Z])"
)
_WORD = re.compile(r"\\(?:cos|det|exp|log|max|min|Pr|sin)(?![a-zA-Z])")


def plain(markup: str) -> str:
    """Return what HTML says, without its tags."""
    return html.unescape(_TAGS.sub("", markup)).strip()


def room(formula: str) -> float:
    r"""Return about how wide a formula will be, in em, from its source.

    Example:
        >>> room(r"\(\beta\)"), room(r"\(q(z \mid x)\)")
        (0.6, 3.6)
    """
    words = _WORD.sub("xxx", formula)
    wide = len(_WIDE.findall(words))
    letters = re.sub(r"\\(?:[a-zA-Z]+|.)", "x", html.unescape(_FORM.sub("", words)))
    return round(0.6 * len(letters) + 0.6 * wide, 1)


def bound(body: str) -> str:
    r"""Return a page's HTML in which no line breaks between a number and its per cent sign.

    Example:
        >>> bound("<p>95 % of <code>5 % 3</code></p>")
        '<p>95\xa0% of <code>5 % 3</code></p>'
    """
    return _PER_CENT.sub(lambda match: "\xa0" if match[0] == " " else match[0], body)


def spaced(body: str) -> str:
    """Return a page's HTML in which the link in the title of a solution is words alone.

    Example:
        >>> spaced('<p class="admonition-title">Solution to<a href="#ex"> Exercise 1</a></p>')
        '<p class="admonition-title">Solution to <a href="#ex">Exercise 1</a></p>'
    """
    return _SOLUTION.sub(r" \1", body)


def rooms(body: str) -> str:
    """Return a page's HTML in which formulas keep about their room until they are typeset."""

    def keep(match: re.Match[str]) -> str:
        style = f'style="--room: {room(match[1])}em"'
        return f'<span class="math notranslate nohighlight" {style}>{match[1]}</span>'

    return _FORMULA.sub(keep, body)


def reports(body: str, page: str, title: str, repository: str) -> str:
    """Return a page's HTML with a link to report a fault in each of its sections."""

    def link(match: re.Match[str]) -> str:
        heading, anchor, place = match.groups()
        section = plain(heading)
        filled = {"title": f"{title}: {section}", "where": f"{page}.html#{place}"}
        address = f"{repository}/issues/new?{urlencode({'template': 'page.yml'} | filled)}"
        name = html.escape(f"Report a fault in the section {section}", quote=True)
        report = f'<a class="vaebook-report" href="{html.escape(address)}" title="{name}">'
        return f"<h2>{heading}{anchor} {report}Report a fault</a></h2>"

    return _HEADING.sub(link, body)


def bibtex(page: str, title: str, book: dict[str, Any]) -> str:
    """Return the entry of a page: of a chapter, or of the book for the home page.

    Example:
        >>> book = {"title": "The book", "authors": [{"name": "A. Body"}], "version": "0.1.0"}
        >>> book |= {"date-released": "2026-11-20", "repository-code": "https://example.org"}
        >>> print(bibtex("chapters/04_class_mixtures", "Where the classes live", book))
        @incollection{vaebook-class-mixtures,
          author    = {{A. Body}},
          title     = {{Where the classes live}},
          booktitle = {{The book}},
          chapter   = {4},
          year      = {2026},
          note      = {Version 0.1.0},
          url       = {https://example.org},
        }
    """
    number, _, slug = posixpath.basename(page).partition("_")
    whole = page == "intro"
    key = "vaebook" if whole else f"vaebook-{slug or number}".replace("_", "-")
    authors = " and ".join(f"{{{author['name']}}}" for author in book["authors"])
    fields = {
        "author": authors,
        "title": f"{{{book['title'] if whole else title}}}".replace("&", r"\&"),
        "booktitle": "" if whole else f"{{{book['title']}}}",
        "chapter": str(int(number)) if number.isdigit() else "",
        "year": str(book["date-released"])[:4],
        "note": f"Version {book['version']}",
        "url": book["repository-code"],
    }
    lines = [f"  {name:9} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{'misc' if whole else 'incollection'}{{{key},", *lines, "}"])


@cache
def citation() -> dict[str, Any]:
    """Return what `CITATION.cff` says of the book."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return read


def cite(entry: str) -> str:
    """Return the fold at the end of a page; the book's button copies what is in it."""
    return (
        '<details class="vaebook-cite"><summary>Cite this page</summary>'
        '<div class="highlight-bibtex notranslate"><div class="highlight">'
        f"<pre>{html.escape(entry)}\n</pre></div></div></details>"
    )


def element(page: str, name: str) -> str:
    """Return the HTML of the element of a page that has an id, or nothing if there is none.

    Example:
        >>> element('<div><div id="a"><div>x</div></div></div>', "a")
        '<div id="a"><div>x</div></div>'
    """
    found = re.search(rf'<(\w+)\b[^<>]*\bid="{re.escape(html.escape(name))}"[^<>]*>', page)
    if not found:
        return ""
    depth = 0
    for tag in re.compile(rf"<(/?){found[1]}\b[^>]*>").finditer(page, found.start()):
        depth += -1 if tag[1] else 1
        if not depth:
            return page[found.start() : tag.end()]
    return ""


def preview(page: str, name: str) -> str:
    """Return what to show of an element, without names and links; nothing of a section."""
    markup = element(page, name)
    if not (tag := re.match(r"<(dt|figure|div)\b", markup)):
        return ""
    if tag[1] == "figure":
        caption = re.search(r"<figcaption>.*</figcaption>", markup, re.DOTALL)
        markup = caption[0] if caption else ""
    elif tag[1] == "dt":
        after = page[page.index(markup) + len(markup) :].lstrip()
        markup += after[: after.index("</dd>") + len("</dd>")]
    markup = re.sub(r'<a class="headerlink".*?</a>', "", markup, flags=re.DOTALL)
    return re.sub(r' id="[^"]*"|</?a\b[^>]*>', "", markup)


def templates(page: str, pages: dict[str, str]) -> str:
    """Return the previews of what a page, one of these, refers to on the others."""
    found = {}
    for path, name in dict.fromkeys(_ELSEWHERE.findall(pages[page])):
        other = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if markup := preview(pages.get(other, ""), unquote(html.unescape(name))):
            found[f"{path}#{name}"] = markup
    return "".join(
        f'<template data-preview="{link}">{markup}</template>\n' for link, markup in found.items()
    )


def add(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put reports and citation on a page."""
    if doctree is None:
        return
    title = plain(context["title"])
    repository = app.config.html_theme_options["repository_url"]
    context["body"] = reports(rooms(spaced(bound(context["body"]))), page, title, repository)
    context["body"] += cite(bibtex(page, title, citation()))


def written(app: Sphinx) -> Iterator[Path]:
    """Yield the pages of the book that are there."""
    for docname in sorted(app.env.found_docs):
        path = Path(app.outdir, f"{docname}.html")
        if path.is_file():
            yield path


# The theme's icons are 1.5 MB of script, which would stop a page from being read until it has run,
# and then look at each node of each formula and each drawing, whether it were an icon.
ICONS = re.compile(r'<script (src="[^"]*/fontawesome/[^"]*/all\.min\.js[^"]*">)')


def patient(page: str) -> str:
    """Let the icons of a page come after its words, and leave alone what comes later.

    >>> patient('<script src="../fontawesome/js/all.min.js?1"></script>')
    '<script defer data-observe-mutations="false" src="../fontawesome/js/all.min.js?1"></script>'
    """
    return ICONS.sub(r'<script defer data-observe-mutations="false" \1', page)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Put the previews on all pages, when all of them are there, and let their icons wait."""
    if exception or app.builder.name != "html":
        return
    paths = {p.relative_to(app.outdir).as_posix(): p for p in written(app)}
    pages = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
    for name, page in pages.items():
        whole = patient(page)
        if "<template data-preview" not in whole and (shown := templates(name, pages)):
            end = whole.rindex("</body>")
            whole = whole[:end] + shown + whole[end:]
        if whole != page:
            paths[name].write_text(whole, encoding="utf-8")


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join what a cell has printed in pieces, before MyST-NB ends each piece with a line break.

    Example:
        >>> pieces = [{"output_type": "stream", "name": "stdout", "text": t} for t in ("1, ", "2")]
        >>> [output["text"] for output in joined(pieces)]
        ['1, 2\\n']
    """
    whole: list[NotebookNode] = []
    for output in outputs:
        last = whole[-1] if whole else {}
        streams = output["output_type"] == last.get("output_type") == "stream"
        if streams and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            whole.append(NotebookNode(output))
    return coalesce_streams(whole)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect everything with Sphinx."""
    render.coalesce_streams = joined
    app.connect("html-page-context", add)
    app.connect("build-finished", finish)
    return {"version": vaebook.__version__, "parallel_read_safe": True}
