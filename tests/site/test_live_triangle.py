"""Draws on the simplex, as a reader handles them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.site.conftest import NewPage
from tests.site.listening import hear
from vaebook import live

VALUES = "() => ({ ...document.querySelector('vaebook-simplex').settings.values })"


@pytest.fixture(scope="module")
def page(new_page: NewPage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A window that complains of nothing and asks for nothing."""
    path = tmp_path_factory.mktemp("simplex") / "page.html"
    live.simplex(alt="Draws in a triangle.").save(path)
    window = new_page(viewport={"width": 900, "height": 1000})
    heard = hear(window)
    window.goto(path.as_uri())
    window.wait_for_selector(".vaebook-is-live")
    yield window
    window.close()
    assert heard == []


def test_temperature_probabilities_and_draws_do_what_they_say(page: Page) -> None:
    facts = page.locator("dd")
    probabilities, shares, bias, noise, *straight = facts.all_text_contents()
    assert probabilities == "0.55, 0.30, 0.15"
    page.get_by_role("slider", name="temperature").press("End")
    warm = facts.all_text_contents()
    # The corners keep their shares, and so does what has no temperature.
    assert warm[:2] == [probabilities, shares]
    assert warm[4:] == straight
    assert float(warm[2].split()[0]) > float(bias.split()[0])
    assert float(warm[3]) < float(noise)
    assert "t=5" in page.url
    # The ring is at the probabilities: dragged to a corner, it makes that category likely.
    box = page.locator(".vaebook-live-pad").bounding_box()
    handle = page.locator(".vaebook-live-handle").bounding_box()
    assert box is not None
    assert handle is not None
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.25 * box["height"], steps=4)
    page.mouse.up()
    first, second, third = (float(part) for part in facts.all_text_contents()[0].split(", "))
    assert third > 0.8
    assert first == pytest.approx(second, abs=0.04)
    values = page.evaluate(VALUES)
    assert values["l3"] > 1
    page.locator(".vaebook-live-pad").press("ArrowDown")
    assert page.evaluate(VALUES)["l3"] < values["l3"]
    # Far outside of the triangle it stays inside.
    page.mouse.click(box["x"] + 3, box["y"] + 3)
    assert min(float(part) for part in facts.all_text_contents()[0].split(", ")) >= 0
    page.get_by_role("button", name="reset").click()
    assert facts.all_text_contents()[:3] == [probabilities, shares, bias]
    page.get_by_role("button", name="draw again").click()
    assert facts.all_text_contents()[1] != shares
    assert facts.all_text_contents()[4] == straight[0]
