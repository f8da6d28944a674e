"""The panel that computes a heatmap in the page."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from tests.site.gallery import PAGE
from vaebook import datasets, live

READ = """canvas => Array.from(
  canvas.getContext("2d").getImageData(0, 0, 36, 36).data)"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with the panel, as wide as a phone."""
    context = browser.new_context(viewport={"width": 360, "height": 700})
    opened = context.new_page()
    opened.set_content(PAGE.format(live.heatmap_panel(alt="A panel.")._repr_html_()))
    expect(opened.locator(".vaebook-is-live")).to_have_count(1)
    yield opened
    context.close()


def choose(page: Page, *factors: float) -> None:
    """Set the three sliders, as a reader does by hand or by key."""
    for slider, value in zip(page.get_by_role("slider").all(), factors, strict=True):
        slider.fill(str(value))


@pytest.mark.parametrize(
    "factors", [(2.5, 1.0, 0.6), (0.1, 0.1, -0.95), (4.9, 4.9, 0.85), (0.1, 4.9, 0.0)]
)
def test_the_page_computes_the_image_of_the_package(
    page: Page, factors: tuple[float, float, float]
) -> None:
    choose(page, *factors)
    found = np.array(page.locator("canvas").evaluate(READ)).reshape(36, 36, 4)
    expected = datasets.heatmap_images(*(torch.tensor([v]) for v in factors))[0, 0].numpy()
    assert np.abs(found[..., 0] - 255 * expected).max() <= 0.51
    assert (found[..., 0] == found[..., 2]).all()
    assert (found[..., 3] == 255).all()


@pytest.mark.parametrize("factors", [(2.5, 1.0, 0.6), (1.0, 1.0, -0.5), (0.4, 3.0, 0.3)])
def test_the_angle_and_the_elongation_are_those_of_the_eigenvectors(
    page: Page, factors: tuple[float, float, float]
) -> None:
    s1, s2, rho = factors
    choose(page, *factors)
    cross = rho * math.sqrt(s1 * s2)
    values, vectors = np.linalg.eigh([[s1, cross], [cross, s2]])
    x, y = vectors[:, 1] * np.sign(vectors[0, 1])
    angle = f"{math.degrees(math.atan2(y, x)):.0f}°".replace("-", "\N{MINUS SIGN}")
    short, long = (math.sqrt(value) for value in values)
    says = [angle, f"{long:.2f}", f"{short:.2f}", f"{long / short:.2f}"]
    assert page.locator("dd").all_text_contents() == says
    label = page.locator("canvas").get_attribute("aria-label")
    assert label is not None
    assert f"at {angle}" in label


def test_a_disc_has_no_angle(page: Page) -> None:
    choose(page, 2.0, 2.0, 0.0)
    assert page.locator("dd").all_text_contents() == ["none: a disc", "1.41", "1.41", "1.00"]


def test_keys_move_the_named_sliders(page: Page) -> None:
    slider = page.get_by_role("slider", name="correlation")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.input_value() == "0.65"
    assert slider.get_attribute("aria-valuetext") == "0.65"


def test_the_panel_fits_a_phone(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
