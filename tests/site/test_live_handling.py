"""How live figures are handled: by mouse, finger and key, in print, without a script, in calm."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
import torch
from playwright.sync_api import Page, expect

from tests.often import often
from tests.site.conftest import NewPage
from tests.site.gallery import NAMES, figure, page_of
from tests.site.listening import hear
from vaebook import live, recipes

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def shows(new_page: NewPage, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open figures, on a page from the disk that asks for nothing and complains of nothing."""
    heard = []

    def show(*names: str, **window: Any) -> Page:
        path = tmp_path / "page.html"
        path.write_text(page_of(*names), encoding="utf-8")
        page = new_page(**({"viewport": {"width": 1000, "height": 900}} | window))
        pages.append(page)
        heard.append(hear(page))
        page.goto(path.as_uri())
        return page

    pages: list[Page] = []
    yield show
    for page in pages:
        page.close()
    assert not any(heard)


def test_every_figure_comes_to_life(shows: Callable[..., Page]) -> None:
    page = shows(*NAMES)
    for name in NAMES:
        box = page.locator(f"#{name}")
        expect(box.locator(".vaebook-is-live")).to_have_count(1)
        expect(box.locator(".vaebook-live")).to_be_visible()
        expect(box.locator(".vaebook-live-static")).to_be_hidden()
        expect(box.locator("[role=alert]")).to_have_count(0)


def shown(page: Page, name: str) -> int:
    """What stands for all that a figure says and draws, beside its dials."""
    code = (
        "(box) => [...box.querySelectorAll('output:not(.vaebook-live-dial output), dd, canvas')]"
        ".map((n) => n.toDataURL ? n.ariaLabel + n.toDataURL() : n.textContent).join('|')"
    )
    return hash(page.locator(f"#{name}").evaluate(code))


def at_rest(page: Page, name: str) -> int:
    """The same when it no longer moves by itself."""
    before, now = 0, shown(page, name)
    while now != before:
        page.wait_for_timeout(100)
        before, now = now, shown(page, name)
    return now


BUTTONS = {
    "chains": "500 steps",
    "bench": "nearest best q",
    "easel": "clear",
    "prior": "clear",
    "pipeline": "draw ε again",
}


# The trainer and the cells, whose vectors have no dials, are tried in files of their own.
DIALLED = [name for name in NAMES if name not in ("trainer", "cells")]


@pytest.mark.parametrize("name", DIALLED)
def test_every_figure_obeys_the_keyboard(shows: Callable[..., Page], name: str) -> None:
    page = shows(name, reduced_motion="reduce")
    dials = page.locator("input[type=range]").all()
    buttons = [page.get_by_role("button", name=BUTTONS[name])] if name in BUTTONS else []
    assert dials or buttons
    for i, control in enumerate([*dials, *buttons]):
        before = at_rest(page, name)
        control.focus()
        page.keyboard.press("Enter" if control in buttons else "ArrowRight")
        page.wait_for_timeout(50)
        if (name, i) != ("chains", 3):  # another seed is that of the next run
            assert shown(page, name) != before, f"control {i}"
    for dial in dials:
        assert dial.get_attribute("aria-valuetext")


@pytest.mark.parametrize(("name", "first"), [("bench", 0), ("easel", 0), ("pipeline", -3)])
def test_the_terms_that_are_shown_add_up(
    shows: Callable[..., Page], name: str, first: int
) -> None:
    """To the last digit, at every step of a dial."""
    box = shows(name).locator(f"#{name}")
    shown = "(box) => [...box.querySelectorAll('dd')].map((node) => node.textContent)"
    box.locator("input[type=radio], input[type=range]").first.focus()
    for _ in range(8):
        box.page.keyboard.press("ArrowRight")
        words = box.evaluate(shown)
        found = [Decimal(word.replace("\N{MINUS SIGN}", "-")) for word in words[first:]]
        assert found[0] + found[1] == found[2], found
        if name == "bench":
            assert found[2] + found[4] == found[3], found


@pytest.mark.parametrize("name", ["pipeline", "beta", "easel", "prior"])
def test_arrow_keys_choose_another_image(shows: Callable[..., Page], name: str) -> None:
    page = shows(name)
    before = shown(page, name)
    radio = page.locator(f"#{name} input[type=radio]")
    expect(radio.first).to_be_checked()
    radio.first.focus()
    page.keyboard.press("ArrowRight")
    expect(radio.nth(1)).to_be_checked()
    assert shown(page, name) != before


SETTINGS = "(figure) => ({ ...figure.settings.values })"


@pytest.mark.parametrize("name", often(DIALLED, 7))
def test_a_finding_is_a_link_and_reset_takes_it_back(
    new_page: NewPage, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "page.html"
    figure(name).save(path)
    page, other = new_page(), new_page()
    page.goto(path.as_uri())
    box = page.locator("main > [role=group]")
    start = box.evaluate(SETTINGS)
    for kind, key in (("slider", "ArrowLeft"), ("radio", "ArrowRight"), ("switch", " ")):
        for dial in box.get_by_role(kind).all():
            at_end = dial.input_value() == dial.get_attribute("min")
            dial.press("ArrowRight" if at_end else key)
            if kind == "radio":
                break  # all of them are one control
    found = box.evaluate(SETTINGS)
    assert [key for key in found if found[key] == start[key]] == []
    other.goto(path.as_uri() + page.evaluate("location.hash"))
    again = other.locator("main > [role=group]")
    assert again.evaluate(SETTINGS) == pytest.approx(found, abs=1e-4)
    words = "(all) => all.map((node) => node.textContent)"
    shown = [window.locator("output").evaluate_all(words) for window in (page, other)]
    assert shown[0] == shown[1]
    if name != "easel":  # what is drawn is not taken back
        box.get_by_role("button", name="reset").click()
        assert box.evaluate(SETTINGS) == pytest.approx(start, abs=1e-4)
    page.close()
    other.close()


def test_what_an_address_asks_in_vain_is_named(new_page: NewPage, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    figure("bench").save(path)
    page = new_page()
    page.goto(f"{path.as_uri()}#elbo-bench?mu=9&sigma=0.5")
    told = page.get_by_role("status").filter(has_text="mu=9")
    expect(told).to_be_visible()
    page.get_by_role("slider", name="σ of q").press("ArrowRight")
    expect(told).to_have_count(0)
    page.close()


def test_an_address_means_the_first_of_two_figures_of_a_kind(shows: Callable[..., Page]) -> None:
    page = shows("map", "dials")
    page.locator("#dials").get_by_role("slider").first.press("ArrowRight")
    assert page.evaluate("location.hash") == ""
    page.locator("#map").get_by_role("slider").first.press("ArrowRight")
    assert page.evaluate("location.hash").startswith("#latent-map?z1=")


def test_a_digit_can_be_drawn_by_keyboard(shows: Callable[..., Page]) -> None:
    page = shows("easel")
    box = page.locator("#easel")
    box.get_by_role("button", name="clear").click()
    assert box.locator("dd").all_text_contents() == ["–", "–", "–"]
    box.get_by_role("application").focus()
    page.keyboard.press(" ")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    expect(box.locator("dd").first).to_have_text(re.compile(r"−\d+\.\d"))
    # A vertical bar is a one, and lies where MNIST's ones do.
    z = box.locator("vaebook-draw-digit").evaluate("(figure) => Array.from(figure.z)")
    codes = recipes.load("mnist-mlp-2d").codes
    nearest = codes.labels[
        (codes.mu - torch.tensor(z)).norm(dim=1).topk(15, largest=False).indices
    ]
    assert nearest.mode().values == 1


def test_pixels_are_scratched_away_and_chains_agree_with_those_that_are_left(
    shows: Callable[..., Page],
) -> None:
    page = shows("half")
    figure = page.locator("#half vaebook-half-digit")
    figure.scroll_into_view_if_needed()
    facts = figure.locator("dd")
    expect(facts.last).to_have_text("500", timeout=60_000)
    expect(figure.get_by_role("button", name="run")).to_be_visible()
    # The mean log-likelihood of the six, of the pixels seen.
    level = (
        "(figure) => figure.chains.reduce((sum, { z }) => sum"
        " + figure.decoder.logProb(figure.scratch.image, z, figure.scratch.seen), 0) / 6"
    )
    after = figure.evaluate(level)
    # Before the page has time for a step.
    again = "(figure) => { [...figure.querySelectorAll('button')].find("
    again += f"(node) => node.textContent === 'start again').click(); return ({level})(figure); }}"
    assert figure.evaluate(again) < after - 50
    figure.get_by_role("button", name="pause").click()
    assert facts.first.text_content() == "336"
    # By pointer, a stroke without gaps; by keys, where the brush is; and back again.
    pad = figure.get_by_role("application")
    edge = pad.bounding_box()
    assert edge is not None
    page.mouse.move(edge["x"] + 0.1 * edge["width"], edge["y"] + 0.2 * edge["height"])
    page.mouse.down()
    page.mouse.move(edge["x"] + 0.9 * edge["width"], edge["y"] + 0.2 * edge["height"], steps=2)
    page.mouse.up()
    hidden = 336 - int(facts.first.text_content() or 0)
    assert hidden >= 3 * 0.75 * 28
    assert f"{336 - hidden} of 784 pixels seen" in (pad.get_attribute("aria-label") or "")
    figure.get_by_role("switch", name="the brush").press(" ")
    pad.press("ArrowDown")
    pad.press(" ")
    for _ in range(5):
        pad.press("ArrowDown")
    assert int(facts.first.text_content() or 0) > 336 - hidden
    figure.get_by_role("button", name="reset").click()
    assert facts.first.text_content() == "336"


PLANES = ("map", "chains", "twins", "walk", "ways", "beta", "pipeline")


def test_every_map_obeys_the_pointer_and_the_finger(shows: Callable[..., Page]) -> None:
    window = shows(*PLANES, viewport={"width": 390, "height": 800}, has_touch=True)
    for name in PLANES:
        area = window.locator(f"#{name} .vaebook-live-pad")
        area.scroll_into_view_if_needed()
        edge = area.bounding_box()
        assert edge is not None
        x, y = edge["x"] + 0.3 * edge["width"], edge["y"] + 0.6 * edge["height"]
        window.touchscreen.tap(x, y)
        touched = shown(window, name)
        window.mouse.move(x, y)
        window.mouse.down()
        window.mouse.move(x + 40, y - 30, steps=3)
        window.mouse.up()
        assert shown(window, name) != touched, name
    figure = window.locator("#map vaebook-latent-map")
    extent = figure.evaluate("(figure) => figure.pad.extent")
    area = window.locator("#map .vaebook-live-pad")
    area.scroll_into_view_if_needed()
    edge = area.bounding_box()
    assert edge is not None
    window.touchscreen.tap(edge["x"] + 0.25 * edge["width"], edge["y"] + 0.25 * edge["height"])
    z = figure.evaluate("(figure) => Array.from(figure.z)")
    assert z == pytest.approx([-extent / 2, extent / 2], abs=0.05 * extent)


def test_the_circle_keeps_its_distance_from_the_pointer_and_the_left_button_moves_it(
    shows: Callable[..., Page],
) -> None:
    page = shows("map")
    figure = page.locator("#map vaebook-latent-map")
    figure.scroll_into_view_if_needed()
    circle = figure.locator(".vaebook-live-handle").bounding_box()
    area = figure.locator(".vaebook-live-pad").bounding_box()
    assert circle is not None
    assert area is not None
    read = "(figure) => Array.from(figure.z)"
    extent, before = figure.evaluate("(figure) => figure.pad.extent"), figure.evaluate(read)
    x = circle["x"] + circle["width"] / 2 + 7
    y = circle["y"] + circle["height"] / 2 - 5
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x + 30, y)
    page.mouse.up(button="right")
    assert figure.evaluate(read) == before
    page.mouse.move(x, y)
    page.mouse.down()
    assert figure.evaluate(read) == pytest.approx(before, abs=1e-3)
    page.mouse.move(x + 20, y + 10)
    page.mouse.up()
    unit = 2 * extent / area["width"]
    moved = [before[0] + 20 * unit, before[1] - 10 * unit]
    assert figure.evaluate(read) == pytest.approx(moved, abs=0.02 * extent)


# As a key that is held down repeats.
HELD = """(pad) => {
  const key = { key: "ArrowRight", repeat: true, bubbles: true, cancelable: true };
  for (let n = 0; n < 70; n += 1) pad.dispatchEvent(new KeyboardEvent("keydown", key));
}"""


@pytest.mark.parametrize("name", often(PLANES, 4))
def test_the_arrow_keys_move_the_circle_of_a_plane_and_stay_inside(
    shows: Callable[..., Page], name: str
) -> None:
    page = shows(name)
    pad = page.locator(f"#{name} .vaebook-live-pad")
    figure = page.locator(f"#{name} > [role=group]")
    here = "(figure) => [...(figure.pad ?? figure.lens).here]"
    extent = figure.evaluate("(figure) => (figure.pad ?? figure.lens).extent")
    ring = "(node) => getComputedStyle(node).outlineStyle"
    assert pad.evaluate(ring) == "none"
    pad.press("Shift")  # a key that moves nothing, so that the focus is the keyboard's
    assert pad.evaluate(ring) == "solid"
    before = figure.evaluate(here)
    for key, axis, sign in (
        ("ArrowRight", 0, 1), ("ArrowUp", 1, 1), ("ArrowLeft", 0, -1), ("ArrowDown", 1, -1)
    ):  # fmt: skip
        pad.press(key)
        after = figure.evaluate(here)
        assert sign * (after[axis] - before[axis]) == pytest.approx(extent / 30, abs=0.03)
        assert after[1 - axis] == pytest.approx(before[1 - axis], abs=1e-6)
        before = after
    label = pad.get_attribute("aria-label")
    pad.evaluate(HELD)
    assert figure.evaluate(here)[0] == pytest.approx(extent, abs=0.03)
    assert pad.get_attribute("aria-label") != label
    kind = figure.evaluate("(figure) => figure.localName.replace('vaebook-', '')")
    assert page.evaluate("location.hash").startswith(f"#{kind}?")


def test_each_circle_of_the_bench_is_held_where_it_was_taken(shows: Callable[..., Page]) -> None:
    page = shows("bench")
    figure = page.locator("#bench vaebook-elbo-bench")
    figure.scroll_into_view_if_needed()
    plot = figure.locator(".vaebook-live-plot").bounding_box()
    assert plot is not None
    handles = "(figure) => figure.handles"
    read = "(figure) => figure.z[0] + ' ' + figure.z[1]"
    unit = 8 / plot["width"]
    for which, moved in ((0, [-0.5 + 40 * unit, 0.5]), (1, [-0.5, 0.5 + 40 * unit])):
        figure.get_by_role("button", name="reset").click()
        x, y = figure.evaluate(handles)[which]
        x, y = plot["x"] + x + 3, plot["y"] + y - 4
        page.mouse.move(x, y)
        page.mouse.down()
        assert [*map(float, figure.evaluate(read).split())] == pytest.approx([-0.5, 0.5], abs=1e-6)
        page.mouse.move(x + 40, y)
        page.mouse.up()
        assert [*map(float, figure.evaluate(read).split())] == pytest.approx(moved, abs=1e-4)


def test_what_is_decoded_lies_under_the_map_where_it_is_decoded(
    shows: Callable[..., Page],
) -> None:
    page = shows("map")
    figure = page.locator("#map vaebook-latent-map")
    figure.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => { const { manifold } = document.querySelector('vaebook-latent-map');"
        " return manifold.done === manifold.tiles ** 2; }"
    )
    alpha, extent = figure.evaluate(
        """(figure) => {
          const { context, tiles, cell } = figure.manifold;
          const { data } = context.getImageData(2 * cell, 11 * cell, cell, cell);
          return [Array.from(data).filter((_, i) => i % 4 === 3), figure.pad.extent];
        }"""
    )
    z = torch.tensor([[extent * (5 / 15 - 1), -extent * (23 / 15 - 1)]])
    with torch.no_grad():
        expected = 255 * recipes.load("mnist-mlp-2d").model.decode(z).flatten()
    assert (torch.tensor(alpha) - expected).abs().max() <= 26  # of the weights in 8 bits


WRITTEN = """(figure, pattern) => {
  const { sheet } = figure.map ?? figure.pad;
  const seen = [];
  const write = sheet.context.fillText.bind(sheet.context);
  sheet.context.fillText = (text, x, y) => {
    if (new RegExp(pattern).test(text)) seen.push([x, y, sheet.context.measureText(text).width]);
    write(text, x, y);
  };
  figure.redraw();
  sheet.context.fillText = write;
  return seen;
}"""


def test_names_of_classes_do_not_lie_on_each_other(shows: Callable[..., Page]) -> None:
    named = ("map", "chains", "beta", "pipeline", "easel")
    page = shows(*named)
    for width in (390, 1000):
        page.set_viewport_size({"width": width, "height": 900})
        for name in named:
            places = page.locator(f"#{name} > [role=group]").evaluate(WRITTEN, "^[0-9]$")
            assert len(places) == 10, name
            apart = torch.pdist(torch.tensor(places, dtype=torch.float64)[:, :2])
            assert apart.min() > 20, (name, width)  # or two digits read as one number


def test_long_names_of_classes_do_not_lie_on_each_other(new_page: NewPage, tmp_path: Path) -> None:
    plane = recipes.load("fashion-mlp-2d")
    names = [
        "T-shirt",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
    ]
    names.append("Boot")
    path = tmp_path / "page.html"
    live.latent_map(
        plane.model, plane.codes.mu, plane.codes.labels, names=names, alt="A map."
    ).save(path)
    page = new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    words = page.locator("main > [role=group]").evaluate(WRITTEN, "^[A-Z]")
    assert len(words) == 10
    for i, (x, y, wide) in enumerate(words):
        for left, top, width in words[:i]:
            assert abs(x - left) > (wide + width) / 2 or abs(y - top) > 14
    page.close()


def test_chains_run_when_asked_and_calmly_for_who_asked_for_calm(
    shows: Callable[..., Page],
) -> None:
    for motion in ("no-preference", "reduce"):
        window = shows("chains", reduced_motion=motion)
        box = window.locator("#chains")
        box.scroll_into_view_if_needed()
        steps = box.locator("dd").nth(2)
        window.wait_for_timeout(300)
        expect(steps).to_have_text("300")
        window.wait_for_timeout(500)
        expect(steps).to_have_text("300")  # nothing moves by itself
        window.evaluate(
            "() => { globalThis.seen = 0; globalThis.since = performance.now();"
            " new MutationObserver(() => globalThis.seen++)"
            ".observe(document.querySelectorAll('#chains dd')[2], { childList: true }); }"
        )
        box.get_by_role("button", name="run").click()
        if motion == "reduce":
            window.wait_for_timeout(2500)
        else:
            window.wait_for_function("globalThis.seen > 4", timeout=3000)  # not one a second
        box.get_by_role("button", name="pause").click()
        pictures = window.evaluate("globalThis.seen")
        seconds = window.evaluate("(performance.now() - globalThis.since) / 1000")
        assert int(steps.text_content() or "") > 300
        window.close()
    # At most one a second in the calm window, which comes last.
    assert 1 <= pictures <= seconds + 1


@pytest.mark.parametrize(
    ("scheme", "width"),
    often([(s, w) for s in ("light", "dark") for w in (1000, 360, 200)], 3),
)
def test_the_figures_fit_and_are_accessible(
    shows: Callable[..., Page], width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    window = shows(*NAMES, viewport=size, color_scheme=scheme, bypass_csp=True)
    overflow = window.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    window.evaluate(AXE)
    found = window.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })")
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found["violations"]] == []


def test_without_scripts_and_in_print_there_are_pictures(shows: Callable[..., Page]) -> None:
    window = shows(*NAMES, java_script_enabled=False)
    for name in NAMES:
        expect(window.locator(f"#{name} .vaebook-live-static img").first).to_be_visible()
    window = shows("map", "twins")
    window.wait_for_selector("#twins .vaebook-is-live")
    window.emulate_media(media="print")
    expect(window.locator("#map .vaebook-live-static")).to_be_visible()
    expect(window.locator("#map .vaebook-live")).to_be_hidden()
