"""Every page in a browser: served to a desktop, light and dark, and on a phone from a file.

A visit is dear, so that all is asked of one. On a desktop the window is made as narrow as a phone
for a moment, which shows how words fit there; figures and contrasts are looked at there weekly.
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from playwright.sync_api import Page, ViewportSize

from tests.site.built_site import RAW_MATHS, SITE, pages
from tests.site.conftest import NewPage

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
CONTRAST = ["color-contrast"]
WIDTHS = {"desktop": 1280, "phone": 360}
COMMON_PHONE = 390  # as wide as most, where no formula needs to be scrolled
PLAIN: dict[str, Any] = {"color_scheme": "light", "reduced_motion": "reduce"}
# Formulas and plots stand behind their description, and of the words in listings that are styled
# alike one is enough: thousands of elements, at which axe would look for a minute.
THIN = """() => {
  const drawings = [...document.querySelectorAll("mjx-math")];
  const sizes = drawings.map((drawing) => drawing.getBoundingClientRect());
  drawings.forEach((drawing, i) => {
    const { width, height } = sizes[i];
    drawing.style.cssText += `;display:inline-block;width:${width}px;height:${height}px`;
    drawing.replaceChildren();
  });
  document.querySelectorAll(".main-svg").forEach((plot) => plot.replaceChildren());
  document.querySelectorAll("math").forEach((words) => { words.textContent = words.textContent; });
  const styled = new Set();
  document.querySelectorAll("pre span[class]").forEach((word) => {
    let key = "";
    for (let at = word; at; at = at.parentElement) key += `${at.localName}.${at.className} `;
    if (styled.has(key)) word.replaceWith(...word.childNodes);
    styled.add(key);
  });
}"""
# The contrast of words takes most of axe's time. Where words stand, what they are styled like and
# on what they lie decides it, so that the first of those that are alike speaks for all.
FIRSTS = """() => {
  const grounds = new Map([[null, ""]]);
  const ground = (element) => {
    if (!grounds.has(element)) {
      const style = getComputedStyle(element);
      const { backgroundColor, backgroundImage, opacity, position, zIndex } = style;
      const own = [backgroundColor, backgroundImage, opacity, position, zIndex].join();
      const below = ground(element.parentElement);
      const bare = own === "rgba(0, 0, 0, 0),none,1,static,auto";
      grounds.set(element, bare ? below : `${below}|${own}`);
    }
    return grounds.get(element);
  };
  const seen = new Set();
  for (const element of document.body.querySelectorAll("*")) {
    const words = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const seeable = { opacityProperty: true, visibilityProperty: true };
    let first = words && element.checkVisibility(seeable);
    if (first) {
      const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
      const key = [color, fontSize, fontWeight, textShadow, ground(element)].join();
      first = !seen.has(key);
      seen.add(key);
    }
    element.toggleAttribute("data-first", first);
  }
}"""
AUDIT = """([rules, except, within]) => axe.run(
  { include: [[within]], exclude: [[".main-svg"]] },
  {
    runOnly: rules, preload: false, resultTypes: ["violations"],
    rules: Object.fromEntries(except.map((rule) => [rule, { enabled: false }])),
  })"""

# How far the contents of a page jump while it loads.
SHIFTS = """globalThis.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) globalThis.shift += entry.value;
  }
}).observe({ type: "layout-shift", buffered: true });"""
# What a page loads that all other pages load as well.
SHARED = ("/_static/", "/vendor/")

# The live figures of a page that come to life there, which needs no kernel and one script.
ALIVE = """async () => {
  const all = (selector) => document.querySelectorAll(selector).length;
  const still = ":not(.vaebook-kernel) > .vaebook-live-static";
  const asleep = () => all(still) - all(".vaebook-is-live");
  for (let n = 0; n < 300 && asleep() > 0; n += 1) await new Promise((go) => setTimeout(go, 100));
  return {
    figures: all(still),
    asleep: asleep(),
    errors: all(".vaebook-live-error"),
    scripts: all("script[data-vaebook-live]"),
  };
}"""

# What is folded away is part of the page.
UNFOLD = """() => {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  document.querySelectorAll(".toggle-button-hidden").forEach((b) => b.click());
}"""
FIGURE = """(box) => {
  const area = box.querySelector(".vaebook-plot-canvas");
  const room = area?.getBoundingClientRect();
  const outside = (word) => {
    const { left, right, top, bottom, width } = word.getBoundingClientRect();
    return width > 0 && (left < room.left - 1 || right > room.right + 1
      || top < room.top - 1 || bottom > room.bottom + 1);
  };
  const marks = ".main-svg .trace path, .main-svg .trace .text text, .main-svg image, "
    + ".heatmaplayer image, canvas, .contourlayer path";
  return {
    named: Boolean(area?.ariaLabel?.trim()),
    captioned: Boolean(box.closest("figure")?.querySelector("figcaption")?.textContent.trim()),
    marks: box.querySelectorAll(marks).length,
    cut: [...box.querySelectorAll(".main-svg text")].filter(outside).map((w) => w.textContent),
    error: box.querySelector(".vaebook-plot-error")?.textContent ?? "",
  };
}"""
# What has been drawn is as wide as its place, after a change of the window too.
FILLED = """() => [...document.querySelectorAll(".vaebook-plot[data-drawn]")].every((box) =>
  Math.abs(box.querySelector(".main-svg").clientWidth - box.clientWidth) <= 1)"""
PICTURES = """() => [
  ...[...document.querySelectorAll("main img")]
    .filter((image) => !image.hasAttribute("alt") || !image.complete || !image.naturalWidth
      || (image.closest("figure, .cell_output") && !image.alt.trim()))
    .map((image) => image.src.slice(0, 80)),
  ...[...document.querySelectorAll("main .vaebook-schematic")]
    .filter((drawing) => !drawing.querySelector("svg[role=img]")?.ariaLabel?.trim()
      || !drawing.closest("figure")?.querySelector("figcaption")?.textContent.trim())
    .map((drawing) => drawing.textContent.slice(0, 80)),
]"""

# Code, tables, captions and display formulas must fit their column; on a phone what does not
# scrolls in a frame of its own, which the keyboard reaches.
CUT_OFF = """() => {
  const kinds = {
    code: "pre", table: ".vaebook-table, .pst-scrollable-table-container, table.dataframe",
    caption: "figcaption, caption", formula: "mjx-container[display=true]",
  };
  const phone = innerWidth < 600;
  const found = [];
  for (const [kind, selector] of Object.entries(kinds))
    for (const element of document.querySelectorAll(`.bd-article :is(${selector})`)) {
      const { overflowX } = getComputedStyle(element);
      const scrolls = ["auto", "scroll"].includes(overflowX) && element.tabIndex === 0;
      const wider = element.scrollWidth > element.clientWidth + 1;
      const outside = element.getBoundingClientRect().right > innerWidth + 1;
      if (outside || (wider && (!phone || kind === "caption" || !scrolls)))
        found.push(`${kind}: ${element.textContent.trim().slice(0, 80)}`);
    }
  return found;
}"""
# Displays that are wider than their column on a phone, and have to be scrolled, and formulas
# within lines that are cut off by it.
TOO_WIDE = """() => {
  const formulas = [...document.querySelectorAll(".bd-article mjx-container")];
  const room = (formula) => {
    let block = formula.parentElement;
    while (getComputedStyle(block).display.startsWith("inline")) block = block.parentElement;
    return block.getBoundingClientRect().right - formula.getBoundingClientRect().left;
  };
  const sizes = formulas.map((formula) => formula.getAttribute("display") === "true"
    ? [formula, formula.scrollWidth, formula.clientWidth]
    : [formula, formula.getBoundingClientRect().width, room(formula)]);
  return sizes.filter(([, needs, has]) => needs > has + 1).map(([formula, needs, has]) =>
    `${Math.round(needs)} for ${Math.round(has)} pixels: ${formula.textContent.slice(0, 80)}`);
}"""
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"
TOP, END = (f"(element) => element.getBoundingClientRect().{end}" for end in ("top", "bottom"))
# A computed number has a true minus sign, and a range whose ends are alike is written once.
MISWRITTEN = """() => {
  const prose = document.querySelector(".bd-article")?.cloneNode(true);
  prose?.querySelectorAll("pre, script, style, .math, .cell").forEach((part) => part.remove());
  const computed = [...(prose?.querySelectorAll(".pasted-text") ?? [])];
  const hyphens = computed.map((c) => c.textContent).filter((text) => /(^|[^\\w])-\\d/.test(text));
  const alike = prose?.textContent.match(/(?<![\\w.,−-])([\\d.,]*\\d) to \\1(?![\\w]|[.,]\\d)/g);
  return [...hyphens, ...(alike ?? [])];
}"""


@dataclass
class Visit:
    """What one visit to a page brought to light."""

    name: str = ""
    asked: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    raw_maths: list[str] = field(default_factory=list)
    bare_pictures: list[str] = field(default_factory=list)
    alive: dict[str, int] = field(default_factory=dict)
    jumps: float = 0.0
    overflow: int = 0
    cut_off: list[str] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)
    miswritten: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def watch(page: Page, base: str, name: str) -> Visit:
    """Note a page's requests and complaints."""
    visit = Visit(name)

    def asked(url: str) -> None:
        visit.asked.append(url)
        if not url.startswith((base, "data:", "blob:")):
            visit.foreign.append(url)

    # The theme's hint to load its icons early does not work from a file; the icons come anyway.
    # That something was not loaded says no more than the request that failed.
    unloaded = "Failed to load resource: net::ERR_FAILED"

    def note(into: list[str], text: str) -> None:
        icons = "/vendor/fontawesome/" in text or text == unloaded
        if not (icons and base.startswith("file:")):
            into.append(text)

    page.on("request", lambda request: asked(request.url))
    page.on("requestfailed", lambda request: note(visit.failed, request.url))
    page.on("response", lambda r: note(visit.failed, r.url) if r.status >= 400 else None)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda m: note(visit.errors, m.text) if m.type == "error" else None)
    return visit


def opened(page: Page, address: str) -> None:
    """Open a page, and wait for its formulas."""
    page.goto(address)
    page.wait_for_load_state("load")
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => true)")


def look(page: Page, visit: Visit) -> None:
    """Scroll to each figure of a page until it is drawn, then look at the whole."""
    page.wait_for_function(FILLED)
    for box in page.query_selector_all(".vaebook-plot"):
        box.scroll_into_view_if_needed()
        state = (
            "el => new Promise(done => { const look = () => el.dataset.drawn || el.querySelector"
        )
        state += '(".vaebook-plot-error") ? done(true) : setTimeout(look, 20); look(); })'
        box.evaluate(state)
        visit.figures.append(box.evaluate(FIGURE))
    visit.alive = page.evaluate(ALIVE)
    visit.raw_maths = page.evaluate(RAW_MATHS)
    visit.bare_pictures = page.evaluate(PICTURES)
    visit.miswritten = page.evaluate(MISWRITTEN)
    fit(page, visit)


def fit(page: Page, visit: Visit) -> None:
    """See what does not fit the window."""
    visit.cut_off += [f"{page.viewport_size}: {fault}" for fault in page.evaluate(CUT_OFF)]
    visit.overflow = max(visit.overflow, page.evaluate(SIDEWAYS))


def narrow(page: Page, visit: Visit) -> None:
    """See which words of a page do not fit a phone."""
    page.set_viewport_size({"width": COMMON_PHONE, "height": 900})
    page.wait_for_timeout(50)  # until formulas are broken anew
    visit.too_wide = page.evaluate(TOO_WIDE)
    page.set_viewport_size(size("phone"))
    page.wait_for_timeout(200)  # until what scrolls can be reached by keyboard
    fit(page, visit)


def size(device: str) -> ViewportSize:
    """The window of a device."""
    return {"width": WIDTHS[device], "height": 900}


def turn(page: Page, mode: str) -> None:
    """Make a page light or dark."""
    page.emulate_media(color_scheme=mode)
    page.wait_for_function("mode => document.documentElement.dataset.theme === mode", arg=mode)


def audit(
    page: Page, rules: list[str], without: Sequence[str] = (), within: str = "html"
) -> list[str]:
    """What axe finds wrong in a part of a page, as it is."""
    found = page.evaluate(AUDIT, [rules, list(without), within])
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary'][:160]}"
        for violation in found["violations"]
        for node in violation["nodes"][:5]
    ]


def contrasts(page: Page, mode: str) -> list[str]:
    """The words that are hard to read in the given mode."""
    turn(page, mode)
    page.evaluate(FIRSTS)
    return [f"{mode}: {found}" for found in audit(page, CONTRAST, within="[data-first]")]


OF_THE_PACKAGE = "/api/latent.html"  # the longest of those pages, which are made alike


COLOURED = ("intro.html", "genindex.html", "chapters/02_the_elbo.html", "chapters/claims.html")
DRAWN_ON_A_PHONE = ("intro.html", "chapters/12_vae_against_ae.html")  # live ones, and all others


def visits() -> list[Any]:
    """Every page on every device; but a few, on a phone and those of the package weekly."""

    def is_weekly(name: str, device: str) -> bool:
        if device == "phone":
            return name not in DRAWN_ON_A_PHONE
        return "/api/" in name and not name.endswith(OF_THE_PACKAGE)

    return [
        pytest.param(
            (name, device),
            id=f"{name}-{device}",
            marks=[pytest.mark.weekly] if is_weekly(name, device) else [],
        )
        for name in pages()
        for device in WIDTHS
    ]


@pytest.fixture(scope="module", params=visits())
def visit(request: pytest.FixtureRequest, new_page: NewPage, base: str) -> Iterator[Visit]:
    """One page in the light: served to a desktop, some there dark as well; a file on a phone."""
    name, device = request.param
    page = new_page(viewport=size(device), **PLAIN)
    page.add_init_script(SHIFTS)
    place = f"{SITE.as_uri()}/" if device == "phone" else base
    seen = watch(page, place, name)
    opened(page, place + name)
    page.wait_for_timeout(500)  # what is drawn on the first screen may come a little later
    seen.jumps = page.evaluate("globalThis.shift")
    page.evaluate(UNFOLD)
    fit(page, seen)  # as it was loaded, before anything has adapted to another width
    first = page.query_selector_all(".vaebook-plot[data-drawn]")
    seen.figures = [box.evaluate(FIGURE) for box in first]
    narrow(page, seen)
    page.set_viewport_size(size(device))
    look(page, seen)
    page.evaluate(THIN)
    page.evaluate(AXE)
    seen.violations = audit(page, RULES, without=CONTRAST)
    if device == "desktop":
        # The colours of words are those of one style sheet: in each run some pages speak for the
        # others, and weekly every word of every page is looked at.
        # The last one stays with the pages that follow.
        for mode in ("dark", "light") if name in COLOURED else ():
            seen.violations += contrasts(page, mode)
    yield seen
    page.close()


@pytest.mark.weekly
@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("name", pages())
def test_every_word_of_a_page_can_be_read(
    new_page: NewPage, base: str, name: str, device: str
) -> None:
    page = new_page(viewport=size(device), **PLAIN)
    opened(page, base + name)
    page.evaluate(UNFOLD)
    look(page, Visit())
    page.evaluate(THIN)
    page.evaluate(AXE)
    for mode in ("light", "dark"):
        turn(page, mode)
        assert audit(page, CONTRAST) == [], mode
    page.close()


def test_a_page_loads_all_it_needs_from_its_own_host(visit: Visit) -> None:
    assert visit.foreign == []
    assert visit.failed == []


def test_a_page_logs_no_error(visit: Visit) -> None:
    assert visit.errors == []


def test_every_figure_is_drawn_with_caption_and_description(visit: Visit) -> None:
    for figure in visit.figures:
        assert figure["error"] == ""
        assert figure["marks"] > 0
        assert figure["named"]
        assert figure["captioned"]
    assert visit.bare_pictures == []


def test_every_live_figure_comes_to_life_of_one_script(visit: Visit) -> None:
    figures = visit.alive["figures"]
    assert visit.alive == {
        "figures": figures,
        "asleep": 0,
        "errors": 0,
        "scripts": min(figures, 1),
    }


def test_a_page_does_not_jump_while_it_loads(visit: Visit) -> None:
    assert visit.jumps < 0.1


def test_a_page_is_light(visit: Visit) -> None:
    paths = {urlsplit(url.removeprefix(SITE.as_uri())).path for url in visit.asked}
    own = [SITE / path.lstrip("/") for path in paths if not path.startswith(SHARED)]
    files = [file for file in own if file.is_file()]
    assert SITE / visit.name in files
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 1_200_000


def test_no_word_of_a_figure_is_cut_off(visit: Visit) -> None:
    assert [word for figure in visit.figures for word in figure["cut"]] == []


def test_all_mathematics_is_typeset(visit: Visit) -> None:
    assert visit.raw_maths == []


def test_a_page_does_not_scroll_sideways(visit: Visit) -> None:
    assert visit.overflow <= 0


def test_no_code_table_formula_or_caption_is_cut_off(visit: Visit) -> None:
    assert visit.cut_off == []


def test_no_formula_has_to_be_scrolled_on_a_phone(visit: Visit) -> None:
    # The docstrings of the package are written to be read in an editor too.
    assert "/api/" in visit.name or visit.too_wide == []


def test_numbers_are_written_as_a_reader_writes_them(visit: Visit) -> None:
    assert visit.miswritten == []


def test_a_page_has_no_wcag_a_or_aa_violation(visit: Visit) -> None:
    assert visit.violations == []


def test_the_running_chains_and_their_dials_fit_on_the_screen_of_a_phone(
    new_page: NewPage, base: str
) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    page.goto(base + "chapters/09_pcn.html")
    page.locator("vaebook-chains").scroll_into_view_if_needed()
    top = page.locator("vaebook-chains .vaebook-live-main").evaluate(TOP)
    end = page.locator("vaebook-chains .vaebook-live-dials").evaluate(END)
    assert end - top < 844 - page.locator(".bd-header-article").evaluate(END)
    page.close()


def test_a_formula_that_scrolls_or_is_cut_off_is_found(new_page: NewPage) -> None:
    page = new_page()
    scrolls = 'display="true" style="display: block; overflow-x: auto"'
    found = []
    for words in ("x" * 40, "x"):
        page.set_content(
            f'<div class="bd-article" style="width: 100px"><mjx-container {scrolls}>{words}'
            f"</mjx-container><p>y <span><mjx-container>{words}</mjx-container></span></p></div>"
        )
        found.append([fault.split(": ")[1] for fault in page.evaluate(TOO_WIDE)])
    assert found == [["x" * 40] * 2, []]
    page.close()


def test_a_jump_is_seen(new_page: NewPage) -> None:
    page = new_page()
    page.add_init_script(SHIFTS)
    page.goto("data:text/html,<p id='late'></p><p>" + "Words. " * 400 + "</p>")
    page.wait_for_timeout(100)
    page.evaluate("document.getElementById('late').style.height = '600px'")
    page.wait_for_timeout(300)
    assert page.evaluate("globalThis.shift") > 0.1
    page.close()


def test_raw_mathematics_and_bare_pictures_are_found(new_page: NewPage) -> None:
    page = new_page()
    bare = '<div class="vaebook-schematic"><svg role="img"><text>a box</text></svg></div>'
    page.set_content(rf'<main><span class="math">\(x\)</span><img src="data:,">{bare}</main>')
    assert page.evaluate(RAW_MATHS) == [r"\(x\)"]
    assert page.evaluate(PICTURES) == ["data:,", "a box"]
    page.close()


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_what_is_cut_off_is_found(new_page: NewPage, width: int) -> None:
    page = new_page(viewport={"width": width, "height": 600})
    line = "x" * 300
    page.set_content(
        "<style>body { margin: 0 } pre, figcaption { width: 300px }</style>"
        '<div class="bd-article" style="width: 340px">'
        f'<pre style="overflow-x: hidden">hidden {line}</pre>'
        f'<pre style="overflow-x: auto" tabindex="0">scrolls {line}</pre>'
        f"<figure><figcaption>{line}</figcaption></figure><pre>short</pre></div>"
    )
    kinds = [fault.split(":")[0] for fault in page.evaluate(CUT_OFF)]
    desktop = width == WIDTHS["desktop"]
    assert kinds == ["code", *["code"] * desktop, "caption"]
    page.close()


def test_a_word_of_a_figure_that_is_cut_off_is_found(new_page: NewPage) -> None:
    page = new_page()
    page.set_content(
        '<div class="vaebook-plot"><div class="vaebook-plot-canvas" style="width: 200px">'
        '<svg class="main-svg" width="200" height="50"><text x="20" y="30">inside</text>'
        '<text x="180" y="30">beyond</text><text x="20" y="5">above</text></svg></div></div>'
    )
    assert page.locator(".vaebook-plot").evaluate(FIGURE)["cut"] == ["beyond", "above"]
    page.close()


def test_hyphens_and_equal_ends_in_prose_are_found(new_page: NewPage) -> None:
    page = new_page()
    number = '<span class="pasted-text">{}</span>'
    page.set_content(
        f'<div class="bd-article"><p>{number.format("-0.5")}, {number.format("−0.5")}, '
        f"{number.format('T-shirt')} and {number.format('0.21')} to {number.format('0.21')}, "
        "3 to 30, 1.5 to 2.5, −3 to 3.</p><pre>2 to 2</pre></div>"
    )
    assert page.evaluate(MISWRITTEN) == ["-0.5", "0.21 to 0.21"]
    page.close()


def test_a_faint_word_is_found_though_words_that_look_alike_are_asked_for_but_once(
    new_page: NewPage,
) -> None:
    page = new_page()
    word = '<span class="k">def</span> '
    faint = '<em><span class="k">def</span></em>'  # styled by where it stands
    rows = 5 * "<p>words</p><p><b>words</b></p>"
    hidden = '<p class="faint" style="visibility: hidden">hidden</p>'
    dark = '<div class="dark"><p id="lost">words</p></div>'  # as those before, on another ground
    style = "em .k, .faint { color: #ccc } .dark { background: #222 }"
    page.set_content(
        f"<style>{style}</style><pre>{5 * word}{faint}</pre>{rows}{hidden}{dark}"
        '<p class="faint" id="seen">words</p>'
    )
    page.evaluate(THIN)
    assert page.locator("pre span").count() == 2
    page.evaluate(AXE)
    page.evaluate(FIRSTS)
    assert page.locator("p[data-first], b[data-first]").count() == 4
    for within in ("html", "[data-first]"):
        (found,) = page.evaluate(AUDIT, [CONTRAST, [], within])["violations"]
        targets = [["em > span"], ["#lost"], ["#seen"]]
        assert sorted(node["target"] for node in found["nodes"]) == sorted(targets)
    page.close()
