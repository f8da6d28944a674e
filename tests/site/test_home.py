"""The home page: its figure, and its links into it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.site.built_site import SITE

HOME = "intro.html"


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
