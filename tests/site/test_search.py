"""What the page of a search shows of the pages that it has found."""

from pathlib import Path

import sphinx
from playwright.sync_api import Browser

SPHINX = Path(sphinx.__file__).parent / "themes" / "basic" / "static" / "searchtools.js"
OURS = Path(__file__).parents[2] / "_static" / "vaebook-search.js"
REST = "Then come many more words of other things. " * 9
FOUND = f"""<main role="main"><div class="onlyprint">Contents: Collapse</div>
<article class="bd-article"><h2>Words<a class="vaebook-report">Report a fault</a></h2>
<p>{REST}</p>
<p>Here the rate <span class="math">\\(R\\)</span> falls, which is a collapse.</p>
<div class="cell"><details><summary>Show code</summary>
<div class="cell_input">collapse = 3</div></details></div>
<table><tr><td>rate</td><td>0</td></tr></table>
<dl><dt>gap</dt><dd>How far the bound lies below the evidence.</dd><dt>Returns:</dt></dl>
<p>{REST}</p></article></main>"""


def test_an_excerpt_is_of_whole_words_without_tex_and_folded_code(browser: Browser) -> None:
    page = browser.new_page()
    scripts = (path.read_text(encoding="utf-8") for path in (SPHINX, OURS))
    page.set_content(f"<script>const _ready = () => 0;{''.join(scripts)}</script>")
    excerpt = page.evaluate(
        "(found) => Search.makeSearchSummary(found, new Set(['collapse']), '').textContent", FOUND
    )
    assert excerpt == (
        "… come many more words of other things. Then come many more words of other things. "
        "Here the rate … falls, which is a collapse. rate 0 gap: How far the bound lies below the "
        "evidence. Returns: Then come many more words of other things. …"
    )
    page.close()
