"""Cells of a codebook, as a reader handles them."""

from collections.abc import Iterator

import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from tests.site.conftest import NewPage
from tests.site.listening import hear
from vaebook import live, recipes
from vaebook.live.pictures import half_side

FIGURE = "document.querySelector('vaebook-codebook')"
VALUES = f"() => ({{ ...{FIGURE}.settings.values }})"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Eleven vectors on codes, and one where no code is."""
    path = tmp_path_factory.mktemp("cells") / "page.html"
    trained = recipes.load("mnist-mlp-2d")
    mu, labels = trained.codes.mu, trained.codes.labels
    limit = half_side(mu)
    vectors = torch.cat([mu[:11], torch.full((1, 2), 0.98 * limit)])
    live.codebook(trained.model, vectors, mu, labels, alt="Cells.").save(path)
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


def test_k_means_lowers_the_distance_and_leaves_the_dead_alone(page: Page) -> None:
    page.get_by_role("button", name="reset").click()
    before = facts(page)
    dead = page.evaluate(VALUES)
    assert before[1] == "11 of 12"
    assert before[3] == "2.48"
    page.get_by_role("button", name="k-means step").click()
    after = facts(page)
    assert float(after[0]) < float(before[0])
    values = page.evaluate(VALUES)
    assert (values["x12"], values["y12"]) == (dead["x12"], dead["y12"])
    assert values["x1"] != dead["x1"]
    page.get_by_role("button", name="restart the dead").click()
    assert facts(page)[1] == "12 of 12"
    assert float(facts(page)[0]) < float(after[0])


def test_the_nearest_vector_is_dragged_and_stands_in_the_address(page: Page) -> None:
    page.get_by_role("button", name="reset").click()
    pad = page.locator(".vaebook-live-pad")
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + 0.03 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
    page.mouse.up()
    values = page.evaluate(VALUES)
    assert values["vector"] == 11
    assert values["x12"] == pytest.approx(0, abs=0.2)
    assert facts(page)[1] == "12 of 12"
    assert "vector=11" in page.url
    pad.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(VALUES)["x12"] > values["x12"]
    page.get_by_role("radio", name="vector 3", exact=True).check(force=True)
    assert page.evaluate(VALUES)["vector"] == 2


def test_a_run_ends_where_a_step_changes_nothing(page: Page, browser: Browser, file: str) -> None:
    page.get_by_role("button", name="reset").click()
    page.get_by_role("button", name="run").click()
    expect(page.get_by_role("button", name="pause")).to_be_visible()
    page.get_by_role("button", name="pause").click()
    context = browser.new_context(reduced_motion="reduce")
    window = context.new_page()
    window.goto(f"{file}#codebook?vector=4&x5=0.5")
    window.wait_for_selector(".vaebook-is-live")
    assert window.evaluate(VALUES)["x5"] == 0.5
    window.get_by_role("button", name="run").click()
    ended = window.evaluate(VALUES)
    assert window.evaluate(f"() => {FIGURE}.step()") is False
    again = window.evaluate(VALUES)
    assert all(abs(ended[key] - again[key]) < 1e-3 for key in ended)
    context.close()
