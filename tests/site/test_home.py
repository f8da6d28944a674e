"""The home page: its figure, its links into it, and how fast and light the page is."""

import gzip
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.site.built_site import SITE

HOME = "intro.html"
# What a page loads that all other pages load as well.
SHARED = ("/_static/", "/vendor/")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window with nothing in its cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def asked() -> list[str]:
    """The links of the home page that set the figure."""
    text = (SITE / HOME).read_text(encoding="utf-8")
    return [link.replace("&amp;", "&") for link in re.findall(r'href="(#trainer\?[^"]*)"', text)]


def test_the_figure_is_the_first_thing_and_comes_to_life(page: Page, base: str) -> None:
    page.goto(base + HOME)
    figure = page.locator("vaebook-trainer.vaebook-is-live")
    expect(figure).to_have_count(1)
    plane = page.locator(".vaebook-live-plane").bounding_box()
    assert plane["y"] + plane["height"] <= 900
    for heading in page.locator("main h2:visible").all():
        assert heading.bounding_box()["y"] > plane["y"]


def test_there_are_three_things_to_try_whose_links_the_figure_takes(page: Page, base: str) -> None:
    page.goto(base + HOME)
    page.wait_for_selector(".vaebook-is-live")
    things = page.locator("section#three-things-to-try > ol > li")
    expect(things).to_have_count(3)
    for thing in things.all():
        expect(thing.locator('a[href^="#trainer?"]').first).to_be_visible()
    for link in asked():
        found = page.evaluate(
            "(link) => document.querySelector('vaebook-trainer').settings.read(link)", link
        )
        assert found["values"], link
        assert found["refused"] == [], link
    things.first.get_by_role("link").first.click()
    page.wait_for_function(
        "() => document.querySelector('vaebook-trainer').settings.values.noise === 0"
    )
    expect(page.locator(".vaebook-live-plane")).to_be_in_viewport()


@pytest.mark.alone
def test_the_page_paints_soon_and_does_not_jump_on_a_slow_machine(page: Page, base: str) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(
        """globalThis.shift = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) {
            if (!entry.hadRecentInput) globalThis.shift += entry.value;
          }
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    page.goto(base + HOME)
    page.wait_for_selector(".vaebook-is-live")
    page.wait_for_timeout(3000)
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert page.evaluate(paint) < 1500  # ms
    assert page.evaluate("globalThis.shift") < 0.1


def test_the_page_is_light(page: Page, base: str) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(urlsplit(request.url).path))
    page.goto(base + HOME)
    page.wait_for_load_state("networkidle")
    own = {path for path in loaded if path.startswith("/") and not path.startswith(SHARED)}
    files = [SITE / path.lstrip("/") for path in own if (SITE / path.lstrip("/")).is_file()]
    assert SITE / HOME in files
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 1_200_000
