"""The panel that computes a heatmap in the page, and the t density with its tails."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from scipy import integrate, optimize, stats

from tests.site.gallery import PAGE
from vaebook import datasets, live

READ = """canvas => Array.from(
  canvas.getContext("2d").getImageData(0, 0, 36, 36).data)"""


@contextmanager
def on_phone(browser: Browser, figure: live.Live) -> Iterator[Page]:
    """A page with a live figure, as wide as a phone."""
    context = browser.new_context(viewport={"width": 360, "height": 700})
    opened = context.new_page()
    opened.set_content(PAGE.format(figure._repr_html_()))
    expect(opened.locator(".vaebook-is-live")).to_have_count(1)
    yield opened
    context.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with the panel."""
    with on_phone(browser, live.heatmap_panel(alt="A panel.")) as opened:
        yield opened


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


@pytest.fixture
def tails(browser: Browser) -> Iterator[Page]:
    """A page with a t density beside a normal one."""
    with on_phone(browser, live.tails(alt="Two densities.")) as opened:
        yield opened


def dial_tails(page: Page, df: float, variance: float) -> None:
    choices = live.tails(alt="Two densities.").config["choices"]
    page.get_by_role("slider", name="degrees of freedom").fill(str(choices.index(df)))
    page.get_by_role("slider", name="scale").fill(str(variance))


@pytest.mark.parametrize(("df", "variance"), [(2, 1.0), (200, 0.1), (5, 4.9), (2, 0.1)])
def test_the_page_computes_the_t_density_of_the_package_beside_the_normal_one(
    tails: Page, df: float, variance: float
) -> None:
    dial_tails(tails, df, variance)
    factors = (torch.tensor([variance]), torch.tensor([variance]), torch.zeros(1))
    expected = (
        datasets.t_heatmap_images(*factors, torch.tensor([float(df)])),
        datasets.heatmap_images(*factors),
    )
    for canvas, image in zip(tails.locator("canvas").all()[:2], expected, strict=True):
        found = np.array(canvas.evaluate(READ)).reshape(36, 36, 4)
        assert np.abs(found[..., 0] - 255 * image[0, 0].numpy()).max() <= 0.51


@pytest.mark.parametrize(("df", "variance"), [(2, 1.0), (10, 2.5)])
def test_core_and_tails_are_those_of_scipy(tails: Page, df: float, variance: float) -> None:
    """Mass by quadrature of the density along the radius; the core by a search for half of it."""
    dial_tails(tails, df, variance)
    t = stats.multivariate_t([0, 0], variance * np.eye(2), df=df)
    normal = stats.multivariate_normal([0, 0], variance * np.eye(2))
    says = tails.locator("dd").all_text_contents()
    halves = []
    for density, (_, half, mass) in zip((t, normal), (says[:3], says[3:]), strict=True):
        within = integrate.quad(lambda r, d=density: 2 * math.pi * r * d.pdf([r, 0]), 0, 3)[0]
        assert mass == f"{100 * (1 - within):.1f} %"
        peak = density.pdf([0, 0])
        halves.append(optimize.brentq(lambda r, d=density, p=peak: d.pdf([r, 0]) - p / 2, 0, 9))
        assert half == f"{halves[-1]:.2f}"
    tails.get_by_role("switch").check()
    says = tails.locator("dd").all_text_contents()
    assert says[1] == says[4] == f"{halves[0]:.2f}"


def test_the_tails_fit_a_phone(tails: Page) -> None:
    assert tails.evaluate("document.documentElement.scrollWidth") <= 360
