"""References by number are those of Sphinx, of a page that is read once."""

from collections import Counter
from pathlib import Path

import pytest
from docutils.nodes import document
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import docutils_namespace

FIRST = """# First

{numref}`fig-far`, {numref}`Picture %s <fig-far>`, {numref}`fig-near`, {ref}`sec:far`,
{numref}`{name} ({number}) <fig-near>` and {numref}`fig-far` again.

```{toctree}
second
```
"""
SECOND = """# Second

(sec:far)=
## Far away

```{figure} dot.svg
:name: fig-near

Near.
```

```{figure} dot.svg
:name: fig-far

Far.
```
"""


def built(source: Path, extension: list[str]) -> str:
    """The first page of a book of two, and nothing to complain about."""
    out = source / "".join(["out", *extension])
    settings = {
        "source_suffix": {".rst": "restructuredtext", ".md": "markdown"},
        "extensions": ["myst_parser", *extension],
        "numfig": True,
        "html_theme": "basic",
    }
    with docutils_namespace():
        app = Sphinx(source, None, out, out / "tree", "html", settings, None, None, True)
        app.build()
    return (out / "index.html").read_text(encoding="utf-8")


def test_numbers_are_those_of_sphinx_and_a_page_is_read_once_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"index": FIRST, "second": SECOND}.items():
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
    (tmp_path / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    read = Counter[str]()
    load = BuildEnvironment.get_doctree

    def counted(env: BuildEnvironment, name: str) -> document:
        read[name] += 1
        return load(env, name)

    monkeypatch.setattr(BuildEnvironment, "get_doctree", counted)
    usual, times = built(tmp_path, []), read["second"]
    read.clear()
    ours = built(tmp_path, ["numbering"])
    assert ours == usual
    assert "Picture 2" in ours
    assert times >= 5
    assert read["second"] == times - 5 + 1  # five references, and Sphinx to write the page
