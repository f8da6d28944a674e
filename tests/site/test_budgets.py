"""How soon a page is there, how little it jumps, and how light it is."""

import gzip
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.site.built_site import SITE, pages

HOME = "intro.html"
# What a page loads that all other pages load as well.
SHARED = ("/_static/", "/vendor/")
WIDTHS = {"desktop": 1280, "phone": 390}
SHIFTS = """globalThis.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) globalThis.shift += entry.value;
  }
}).observe({ type: "layout-shift", buffered: true });"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


@pytest.fixture(params=WIDTHS.values(), ids=WIDTHS)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A window with nothing in its cache, which adds up how far its contents jump."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    page = context.new_page()
    page.add_init_script(SHIFTS)
    yield page
    context.close()


@pytest.mark.alone
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_home_page_paints_soon_on_a_slow_machine_and_does_not_jump(
    browser: Browser, base: str, width: int
) -> None:
    paints = []
    # What else the machine does can only delay a page, so that the best of three tells its cost.
    for _ in range(3):
        context = browser.new_context(viewport={"width": width, "height": 900})
        page = context.new_page()
        page.add_init_script(SHIFTS)
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.goto(base + HOME)
        page.wait_for_selector(".vaebook-is-live")
        page.wait_for_timeout(3000)
        paints.append(page.evaluate(PAINT))
        assert page.evaluate("globalThis.shift") < 0.1
        context.close()
    assert min(paints) < 1500, paints  # ms


@pytest.mark.parametrize("name", pages())
def test_a_page_is_light_and_does_not_jump(page: Page, base: str, name: str) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(urlsplit(request.url).path))
    page.goto(base + name)
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => true)")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("globalThis.shift") < 0.1
    own = {path for path in loaded if path.startswith("/") and not path.startswith(SHARED)}
    files = [SITE / path.lstrip("/") for path in own if (SITE / path.lstrip("/")).is_file()]
    assert SITE / name in files
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 1_200_000


def test_words_beside_formulas_come_without_mathjax_too(page: Page, base: str) -> None:
    page.route("**/mathjax/**", lambda route: route.abort())
    page.goto(base + "chapters/errata.html", wait_until="commit")
    words = page.locator(".bd-article p:has(span.math)").first
    words.wait_for(state="attached")
    words.wait_for(state="visible", timeout=20_000)


def test_a_jump_is_seen(page: Page) -> None:
    page.goto("data:text/html,<p id='late'></p><p>" + "Words. " * 400 + "</p>")
    page.wait_for_timeout(100)
    page.evaluate("document.getElementById('late').style.height = '600px'")
    page.wait_for_timeout(300)
    assert page.evaluate("globalThis.shift") > 0.1
