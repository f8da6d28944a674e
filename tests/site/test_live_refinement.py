"""The refinement of q, as a reader handles it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.site.conftest import NewPage
from tests.site.listening import hear
from vaebook import datasets, live, recipes

STATE = """() => {
  const { climb, left, found, work, settings, pad, image } =
    document.querySelector('vaebook-refinement');
  const { mu, sigma } = climb.q;
  const still = Boolean(found && !work && !left);
  const values = { ...settings.values };
  return { mu, sigma, steps: climb.steps, still, values, half: pad.half, encoder: image.encoder };
}"""
STILL = f"() => ({STATE})().still"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("climb") / "page.html"
    images = datasets.digits().images[[0, 11, 22]]
    live.refinement(recipes.load("mnist-mlp-2d").model, images, alt="A climb.").save(path)
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, file: str) -> Iterator[Page]:
    """A window that complains of nothing and asks for nothing, of who asked for less motion."""
    context = browser.new_context(
        viewport={"width": 1000, "height": 1100}, reduced_motion="reduce"
    )
    window = context.new_page()
    heard = hear(window)
    window.goto(file)
    window.wait_for_function(STILL)
    yield window
    context.close()
    assert heard == []


def state(page: Page) -> Any:
    return page.evaluate(STATE)


def facts(page: Page) -> list[float]:
    """log p(x), both ELBOs, above the encoder's q, below the best, amortisation, approximation."""
    words = page.locator("dd").all_text_contents()
    return [float(word.replace("\N{MINUS SIGN}", "-")) for word in words]


def stepped(page: Page, name: str, steps: int) -> None:
    """Press a button, and wait until so many steps are taken."""
    page.get_by_role("button", name=name, exact=True).click()
    done = f"() => {{ const state = ({STATE})(); return state.still && state.steps === {steps}; }}"
    page.wait_for_function(done, timeout=60_000)


def test_it_opens_at_the_encoders_q_and_the_parts_of_the_gap_add_up(page: Page) -> None:
    here = state(page)
    assert here["steps"] == 0
    assert here["mu"] == pytest.approx(here["encoder"]["mu"])
    assert here["sigma"] == pytest.approx(here["encoder"]["sigma"])
    for steps in (0, 1, 2):
        evidence, own, present, won, left, amortisation, rest = facts(page)
        assert present == pytest.approx(own + won)
        assert amortisation == pytest.approx(won + left)
        assert evidence == pytest.approx(present + left + rest)
        if steps < 2:
            stepped(page, "step", steps + 1)
    assert won > 0


def test_a_climb_wins_nearly_all_that_can_be_won_and_stops(page: Page) -> None:
    before = facts(page)
    stepped(page, "climb", 120)
    evidence, own, _, won, left, amortisation, rest = facts(page)
    assert [evidence, own, amortisation, rest] == [*before[:2], *before[5:]]
    assert won > 0.9 * before[4]
    assert left < 0.1 * before[4]
    page.get_by_role("button", name="start again").click()
    page.wait_for_function(f"() => {{ const s = ({STATE})(); return s.still && s.steps === 0; }}")
    assert facts(page) == before


def test_q_is_dragged_and_climbs_back(page: Page) -> None:
    before, start = facts(page), state(page)
    box = page.locator(".vaebook-live-pad").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 0.2 * box["width"], middle[1] - 0.1 * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_function(STILL)
    away = state(page)
    expected = [0.4 * start["half"], 0.2 * start["half"]]
    moved = [there - here for there, here in zip(away["mu"], start["mu"], strict=True)]
    assert moved == pytest.approx(expected, abs=0.03 * start["half"])
    dragged = facts(page)[2]
    assert abs(dragged - before[2]) > 0.5
    assert re.match(r"#refinement\?image=0&u1=0\.\d+&u2=0\.\d+", page.evaluate("location.hash"))
    stepped(page, "climb", 120)
    assert facts(page)[2] > dragged
    page.get_by_role("button", name="reset").click()
    assert state(page)["mu"] == pytest.approx(start["mu"])


def test_dials_set_widths_and_keys_move_the_mean(page: Page) -> None:
    before, start = facts(page), state(page)
    page.get_by_role("slider", name="start: σ₁").press("End")
    page.wait_for_function(STILL)
    assert state(page)["sigma"][0] == pytest.approx(2 * start["sigma"][0])
    assert abs(facts(page)[2] - before[2]) > 0.1
    page.locator(".vaebook-live-pad").press("ArrowRight")
    assert state(page)["mu"][0] > start["mu"][0]


def test_another_image_has_another_evidence_and_starts_at_its_encoders_q(page: Page) -> None:
    before = facts(page)
    page.get_by_role("radio").first.press("ArrowRight")
    page.wait_for_function(STILL)
    here = state(page)
    assert here["values"]["image"] == 1
    assert here["mu"] == pytest.approx(here["encoder"]["mu"])
    assert facts(page)[:2] != before[:2]
    assert facts(page)[1] == facts(page)[2]


def test_it_climbs_by_itself_at_first_and_then_all_is_still(new_page: NewPage, file: str) -> None:
    window = new_page(viewport={"width": 1000, "height": 1100})
    window.goto(file)
    done = f"() => {{ const state = ({STATE})(); return state.still && state.steps === 60; }}"
    window.wait_for_function(done, timeout=60_000)
    window.wait_for_timeout(200)
    assert state(window)["steps"] == 60
    assert facts(window)[3] > 0
    window.close()


def test_nothing_moves_by_itself_for_who_asked_for_calm(page: Page) -> None:
    page.wait_for_timeout(300)
    assert state(page)["steps"] == 0


def test_pictures_stand_in_its_place_without_a_script(browser: Browser, file: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    window = context.new_page()
    window.goto(file)
    assert window.locator(".vaebook-live-static img").count() == 3
    assert window.locator(".vaebook-live-static img").first.is_visible()
    context.close()
