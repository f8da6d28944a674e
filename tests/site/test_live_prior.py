"""The prior that a reader draws, in the reader's hands: one page, on a phone."""

from collections.abc import Iterator

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect

from tests.site.gallery import page_of
from vaebook import datasets, recipes
from vaebook.latent import mixtures
from vaebook.models.learned_priors import VampPrior


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page with the figure, as wide as a phone."""
    context = browser.new_context(viewport={"width": 360, "height": 700})
    opened = context.new_page()
    opened.set_content(page_of("prior"))
    expect(opened.locator(".vaebook-is-live")).to_have_count(1)
    yield opened
    context.close()


@pytest.fixture
def figure(page: Page) -> Locator:
    """As it is at the start."""
    page.get_by_role("button", name="reset").click()
    return page.locator("vaebook-draw-prior")


def kl_of(rows: list[int]) -> float:
    """KL(q(z) || p) of a prior of some of the digits, by the package, without draws."""
    trained = recipes.load("prior-2d-normal-s0")
    codes = trained.codes
    prior = VampPrior(trained.model.encoder, 2, datasets.digits().images[rows])
    step = (0.5 * codes.logvar).exp().min().item()
    with torch.no_grad():
        return mixtures.surgery(codes.mu, codes.logvar, prior, step).marginal_kl


def says(figure: Locator, row: int = 0) -> float:
    return float(figure.locator("dd").nth(row).text_content() or "nan")


def test_the_kl_is_the_packages_before_and_after_an_input_is_cleared(figure: Locator) -> None:
    # The page has eight bits per weight, and four draws of each code.
    assert says(figure) == pytest.approx(kl_of([0, 1, 2, 3, 4, 5]), rel=0.05)
    figure.get_by_role("radio").nth(2).check(force=True)
    figure.get_by_role("button", name="clear").click()
    assert says(figure) == pytest.approx(kl_of([0, 1, 3, 4, 5]), rel=0.05)
    figure.get_by_role("button", name="a digit").click()
    assert says(figure) == pytest.approx(kl_of([0, 1, 20, 3, 4, 5]), rel=0.05)
    figure.get_by_role("button", name="as learned").click()
    assert says(figure) == pytest.approx(kl_of([0, 1, 2, 3, 4, 5]), rel=0.05)


def test_what_is_drawn_takes_the_place_of_the_chosen_input(figure: Locator, page: Page) -> None:
    before = says(figure)
    samples = figure.locator("canvas[aria-label*='decoded from draws']")
    seen = samples.evaluate("(canvas) => canvas.toDataURL()")
    figure.get_by_role("button", name="clear").click()
    easel = figure.get_by_role("application")
    easel.focus()
    page.keyboard.press(" ")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    after = says(figure)
    assert after != before
    assert samples.evaluate("(canvas) => canvas.toDataURL()") != seen
    figure.get_by_role("button", name="reset").click()
    assert says(figure) == before


def test_without_inputs_there_is_no_prior(figure: Locator) -> None:
    for radio in figure.get_by_role("radio").all():
        radio.check(force=True)
        figure.get_by_role("button", name="clear").click()
    assert figure.locator("dd").first.text_content() == "–"
    expect(figure.locator("canvas[aria-label='No prior, no images']")).to_have_count(1)


def test_the_other_priors_say_their_kl_when_they_are_chosen(figure: Locator) -> None:
    dial = figure.get_by_role("slider")
    for row, name in enumerate(("N(0, I)", "a mixture"), 1):
        dial.press("ArrowRight")
        assert says(figure) == says(figure, row)
        label = figure.locator("canvas[aria-label*='decoded from draws']")
        assert name in (label.get_attribute("aria-label") or "")


def test_the_drawn_prior_fits_a_phone(figure: Locator, page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
