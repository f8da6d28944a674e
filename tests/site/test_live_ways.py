"""Two heatmaps and the shortest ways between them, as a reader handles them."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.site.listening import hear
from vaebook import live, recipes

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# A pair that was just asked for is taken up in the next frame only.
SETTLED = """() => {
  const { other, pair } = document.querySelector("vaebook-shortest-ways");
  return pair.done && !other;
}"""
# Where A and B lie on the page.
ENDS = """(figure) => {
  const { left, top } = figure.sector.sheet.node.getBoundingClientRect();
  return figure.sector.handles.map(([x, y]) => [left + x, top + y]);
}"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ways") / "page.html"
    trained = recipes.load("heatmap-vae-optimal-s22")
    live.shortest_ways(trained.model, alt="Three ways.").save(path)
    return path.as_uri()


def opened(browser: Browser, address: str, **settings: Any) -> Page:
    """The figure in a window of its own, once all lengths are as they stay."""
    page = browser.new_context(bypass_csp=True, **settings).new_page()
    page.goto(address)
    page.wait_for_function(SETTLED, timeout=60_000)
    return page


@pytest.fixture
def page(browser: Browser, file: str) -> Iterator[Page]:
    """A window that complains of nothing and asks for nothing."""
    context = browser.new_context(
        viewport={"width": 1000, "height": 1200}, reduced_motion="reduce"
    )
    window = context.new_page()
    heard = hear(window, ("file:", "data:"))
    window.goto(file)
    window.wait_for_function(SETTLED, timeout=60_000)
    yield window
    context.close()
    assert heard == []


def figure(page: Page) -> Locator:
    return page.locator("vaebook-shortest-ways")


def lengths(page: Page) -> list[float]:
    """What the table says: among heatmaps, the decoder's, the line's, without edges, the chord."""
    words = page.locator("dd").all_text_contents()
    return [float(word.split(",")[0]) for word in words]


def test_it_opens_on_three_ways_that_differ_and_says_by_how_much(page: Page) -> None:
    truth, short, line, without, chord = lengths(page)
    assert chord < 0.8 * truth
    assert truth < short < 1.05 * truth
    assert line > 1.15 * short
    assert without > truth
    said = page.locator("dd").all_text_contents()
    share = 100 * (line / truth - 1)
    assert re.fullmatch(rf"{line:.2f}, \+\d+\.\d %", said[2])
    assert float(said[2].split("+")[1][:-2]) == pytest.approx(share, abs=0.1)
    assert said[4].split(", ")[1].startswith("\N{MINUS SIGN}")


def test_a_dot_walks_at_first_and_then_all_is_still(browser: Browser, file: str) -> None:
    page = opened(browser, file, viewport={"width": 1000, "height": 1200})
    seen = set()
    for _ in range(100):
        seen.add(round(figure(page).evaluate("(figure) => figure.share"), 2))
        if not figure(page).evaluate("(figure) => Boolean(figure.walking || figure.opening)"):
            break
        page.wait_for_timeout(100)
    assert len(seen) > 4
    assert max(seen) > 0.8
    page.wait_for_timeout(200)
    assert figure(page).evaluate("(figure) => [figure.share, figure.frame]") == [0.5, None]
    page.get_by_role("button", name="walk the dot").click()
    assert figure(page).evaluate("(figure) => figure.share") < 0.5
    page.get_by_role("slider", name="dot").press("ArrowRight")
    assert figure(page).evaluate("(figure) => figure.share") == pytest.approx(0.51)
    page.context.close()


def test_nothing_moves_by_itself_for_who_asked_for_calm(page: Page) -> None:
    state = "(figure) => [figure.share, figure.frame, Boolean(figure.walking)]"
    page.wait_for_timeout(300)
    assert figure(page).evaluate(state) == [0.5, None, False]


@pytest.mark.parametrize("which", [0, 1])
def test_an_end_follows_the_pointer_and_lengths_follow_the_end(page: Page, which: int) -> None:
    before = lengths(page)
    start = figure(page).evaluate("(figure) => Array.from(figure.z)")
    x, y = figure(page).evaluate(ENDS)[which]
    inwards = 1 if which == 0 else -1
    page.mouse.move(x + 2, y + 1)
    page.mouse.down()
    page.mouse.move(x + 2 + 30 * inwards, y + 1 - 25, steps=6)
    # A frame shows it where it was dragged to, while the other end stays.
    page.wait_for_function(
        "(x) => { const figure = document.querySelector('vaebook-shortest-ways');"
        f" return Math.abs(({ENDS})(figure)[{which}][0] - x) < 4; }}",
        arg=x + 30 * inwards,
    )
    moved = figure(page).evaluate(ENDS)
    assert moved[which] == pytest.approx([x + 30 * inwards, y - 25], abs=4)
    page.mouse.up()
    page.wait_for_function(SETTLED, timeout=60_000)
    after = lengths(page)
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) > 0.5
    assert after[4] < after[0] <= after[3]
    z = figure(page).evaluate("(figure) => Array.from(figure.z)")
    kept = slice(3, 6) if which == 0 else slice(0, 3)
    assert z[kept] == pytest.approx(start[kept], abs=1e-6)
    assert z != pytest.approx(start, abs=1e-2)
    # What was found is in the address.
    assert page.evaluate("location.hash").startswith("#shortest-ways?varX1=")
    page.get_by_role("button", name="reset").click()
    page.wait_for_function(SETTLED, timeout=60_000)
    assert lengths(page) == pytest.approx(before, abs=0.03)


def test_a_linked_pair_has_the_lengths_of_a_dialled_one(
    browser: Browser, page: Page, file: str
) -> None:
    page.get_by_role("slider", name="A: var. y").fill("2.5")
    page.get_by_role("slider", name="B: corr.").fill("-0.5")
    page.wait_for_function(SETTLED, timeout=60_000)
    other = opened(browser, file + page.evaluate("location.hash"), reduced_motion="reduce")
    assert lengths(other) == pytest.approx(lengths(page), rel=3e-3)
    other.context.close()


def test_the_ellipse_follows_a_mouse_that_hovers(page: Page) -> None:
    area = page.locator(".vaebook-live-pad")
    edge = area.bounding_box()
    assert edge is not None
    page.mouse.move(edge["x"] + 0.25 * edge["width"], edge["y"] + 0.4 * edge["height"])
    read = "(figure) => { const { u1, u2 } = figure.settings.values; return [u1, u2]; }"
    assert figure(page).evaluate(read) == pytest.approx([-0.5, 0.2], abs=0.02)
    # Its rim is where a step changes the decoded image by one, to first order.
    small = """(figure) => {
      const { pad, pair } = figure;
      const { u1, u2 } = figure.settings.values;
      const middle = pad.deep([u1, u2]);
      const jet = pair.jet(middle);
      const metric = Array.from({ length: 9 }, (_, k) => {
        let sum = 0;
        for (let i = 0; i < jet.length; i += 4) {
          sum += jet[i + 1 + Math.floor(k / 3)] * jet[i + 1 + (k % 3)];
        }
        return sum;
      });
      return pad.ellipse([u1, u2], metric).map((place) => {
        const step = 1e-3;
        const near = pad.deep([u1, u2].map((u, k) => u + step * (place[k] - u)));
        const [one, two] = [pair.decode(middle), pair.decode(near)];
        return Math.hypot(...one.map((pixel, i) => pixel - two[i])) / step;
      });
    }"""
    for norm in figure(page).evaluate(small):
        assert norm == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_sector_of_any_pair_is_seen_whole(browser: Browser, file: str, width: int) -> None:
    page = opened(browser, file, viewport={"width": width, "height": 900}, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    draw = random.Random(0)
    corners = [(0.1, 4.9), (0.1, 4.9), (-0.95, 0.85)]
    pairs = [[draw.choice(corner) for corner in 2 * corners] for _ in range(12)]
    for pair in pairs:
        seen = figure(page).evaluate(
            """(figure, z) => {
              figure.move(z);
              figure.choose();
              const { sector } = figure;
              sector.settle(true);
              const half = 22;
              const places = sector.handles.map(([x, y]) => [x, y, 9]);
              const { radii, angle } = sector.cone;
              const away = 32 / sector.view.unit;
              for (const [r, turned] of [[radii[0], 0], [radii[1], angle]]) {
                places.push([...sector.place(r + away, turned), half]);
              }
              const { width, height } = sector.sheet;
              return places.every(([x, y, room]) =>
                x > room && y > room && x < width - room && y < height - room);
            }""",
            pair,
        )
        assert seen, pair
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_settled_is_accessible(
    browser: Browser, file: str, width: int, scheme: Any
) -> None:
    page = opened(
        browser, file, viewport={"width": width, "height": 900}, color_scheme=scheme,
        reduced_motion="reduce",
    )  # fmt: skip
    page.evaluate(AXE)
    found = page.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })")
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found["violations"]] == []
    for sheet in (".vaebook-live-sector", ".vaebook-live-points"):
        expect(page.locator(sheet)).to_have_attribute("aria-label", re.compile("heatmaps|sector"))
    # The line from A to B has the page's ink.
    line, ink = figure(page).evaluate(
        """({ sector, colours }) => {
          const { context, scale } = sector.sheet;
          const [x, y] = sector.place(...sector.cone.polar(0.25)).map((v) => scale * v);
          return [[...context.getImageData(x, y, 1, 1).data].slice(0, 3), colours.ink];
        }"""
    )
    assert line == pytest.approx([int(part) for part in re.findall(r"\d+", ink)][:3], abs=8)
    page.context.close()


def test_pictures_stand_in_its_place_without_a_script(browser: Browser, file: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file)
    expect(page.locator(".vaebook-live-static img")).to_have_count(2)
    context.close()
