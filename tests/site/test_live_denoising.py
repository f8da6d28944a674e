"""A draw that falls from noise into a digit, as a reader handles it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.site.conftest import NewPage
from tests.site.gallery import fields
from tests.site.listening import hear
from vaebook import live, recipes

VALUES = "() => ({ ...document.querySelector('vaebook-denoising').settings.values })"
LANDED = "() => document.querySelector('vaebook-denoising').settings.values.t === 0"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("fall") / "page.html"
    trained = recipes.load("mnist-mlp-2d")
    codes = trained.codes.mu, trained.codes.labels
    live.denoising(trained.model, *fields(), *codes, alt="A draw that falls.").save(path)
    return path.as_uri()


@pytest.fixture(scope="module")
def page(new_page: NewPage, file: str) -> Iterator[Page]:
    """A window that complains of nothing and asks for nothing."""
    window = new_page(viewport={"width": 900, "height": 1000})
    heard = hear(window)
    window.goto(file)
    window.wait_for_selector(".vaebook-is-live")
    yield window
    window.close()
    assert heard == []


def facts(page: Page) -> list[str]:
    return page.locator("dd").all_text_contents()


def test_a_draw_falls_and_the_address_keeps_where_it_came_from(page: Page) -> None:
    page.get_by_role("button", name="reset").click()
    page.get_by_role("button", name="fall").click()
    expect(page.get_by_role("button", name="pause")).to_be_visible()
    page.wait_for_function(LANDED, timeout=30_000)
    expect(page.get_by_role("button", name="fall")).to_be_visible()
    assert "t=0&" in page.url
    assert facts(page)[0] == "9.0"
    page.get_by_role("button", name="new draw").click()
    assert page.evaluate(VALUES)["seed"] == 1


def test_a_click_on_the_plane_begins_a_way_there(page: Page) -> None:
    page.get_by_role("button", name="reset").click()
    box = page.locator(".vaebook-live-pad").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"])
    values = page.evaluate(VALUES)
    extent = page.evaluate("() => document.querySelector('vaebook-denoising').pad.extent")
    assert values["z1"] == pytest.approx(extent / 2, abs=0.05)
    assert values["z2"] == pytest.approx(0, abs=0.05)
    page.wait_for_function(LANDED, timeout=30_000)


def test_the_dial_of_time_leads_to_noise_where_both_fields_agree(page: Page) -> None:
    page.get_by_role("button", name="reset").click()
    dial = page.get_by_role("slider").first
    dial.focus()
    page.keyboard.press("End")
    ratio, exact, learned, apart = facts(page)
    assert ratio == "\N{MINUS SIGN}9.0"
    assert float(apart) < 0.05
    assert exact.count("(") == learned.count("(") == 1
    pad = page.locator(".vaebook-live-pad")
    pad.focus()
    before = page.evaluate(VALUES)["z1"]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(VALUES)["z1"] > before


def test_an_address_sets_time_way_and_field(new_page: NewPage, file: str) -> None:
    window = new_page()
    window.goto(f"{file}#denoising?t=0.5&sde=0&exact=1&z1=1&z2=1")
    window.wait_for_selector(".vaebook-is-live")
    values = window.evaluate(VALUES)
    assert (values["t"], values["sde"], values["exact"]) == (0.5, 0, 1)
    expect(window.get_by_text("probability flow", exact=True)).to_be_visible()
    window.close()


def test_who_asked_for_less_motion_sees_few_steps(browser: Browser, file: str) -> None:
    context = browser.new_context(reduced_motion="reduce")
    window = context.new_page()
    window.goto(f"{file}#denoising?t=0.15")
    window.wait_for_selector(".vaebook-is-live")
    window.get_by_role("button", name="fall").click()
    window.wait_for_timeout(300)
    assert window.evaluate(VALUES)["t"] == pytest.approx(0.15)
    window.wait_for_function(LANDED, timeout=10_000)
    context.close()
