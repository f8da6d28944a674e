"""The script that draws the figures on a page, and the one that draws them elsewhere."""

import io
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from nbconvert import HTMLExporter
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from tests.often import often
from tests.site.conftest import NewPage
from vaebook import figures

STATIC = Path(__file__).resolve().parents[2] / "_static"
HOST = "http://book.test/"
PAGE = """<!doctype html><html data-theme="light"><head><meta name="viewport"
content="width=device-width"><link rel="stylesheet" href="_static/vaebook.css">
<style>:root {{ --pst-color-text-base: #111111; --pst-color-text-muted: #444444;
--pst-color-background: #ffffff }} [data-theme=dark] {{ --pst-color-text-base: #eeeeee;
--pst-color-text-muted: #cccccc; --pst-color-background: #121212 }}
.gap {{ height: 2500px }}</style>
<script src="_static/vaebook-plots.js"></script></head><body>{body}</body></html>"""
RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(200, 2))
LABELS = np.arange(200) % 3
DRAWN = ".vaebook-plot[data-drawn]"
DRAWN_SO_FAR = f"(n) => document.querySelectorAll('{DRAWN}').length >= n"
SIZES = """(areas) => areas.map((area) => {
  const { width, height } = area.getBoundingClientRect();
  return [width, height];
})"""
# As when a phone is turned.
NARROWED_MEANWHILE = """() => {
  let plotly;
  const set = (loaded) => {
    const { newPlot } = loaded;
    plotly = loaded;
    plotly.newPlot = async (...given) => {
      await newPlot(...given);
      document.body.style.width = "300px";
      await new Promise((go) => setTimeout(go, 100));
    };
  };
  Object.defineProperty(window, "Plotly", { get: () => plotly, set });
}"""
TITLES = ("east", "north", "up")
SQUARES = np.zeros((2, 10, 1, 8, 8))
AMD = "<script>window.define = () => {}; window.define.amd = {}; was = window.define</script>"

Show = Callable[..., Page]


def markup(figure: go.Figure) -> str:
    """A figure as it stands in a page."""
    return figure._repr_html_()


@pytest.fixture
def asked() -> list[str]:
    """What pages have asked other hosts for."""
    return []


@pytest.fixture
def show(new_page: NewPage, asked: list[str]) -> Iterator[Show]:
    """Open a page of the book with the given body, or a whole page of somebody else."""
    pages = []

    def open_page(body: str, page_of_its_own: bool = False, **options: object) -> Page:
        page = new_page(**options)
        pages.append(page)
        whole = body if page_of_its_own else PAGE.format(body=body)

        def answer(route: Route) -> None:
            path = route.request.url.removeprefix(HOST)
            if path == "probe.html":
                route.fulfill(body=whole, content_type="text/html; charset=utf-8")
            elif path.startswith("_static/"):
                route.fulfill(path=STATIC / Path(path).name)
            elif path == "vendor/plotly.min.js":
                route.fulfill(body=get_plotlyjs(), content_type="text/javascript")
            else:
                asked.append(path)
                if "cdn.plot.ly" in path:
                    allowed = {"Access-Control-Allow-Origin": "*"}
                    route.fulfill(
                        body=get_plotlyjs(), content_type="text/javascript", headers=allowed
                    )
                else:
                    route.abort()

        page.route("**/*", answer)
        page.goto(HOST + "probe.html")
        return page

    yield open_page
    for page in pages:
        page.close()


def test_a_figure_far_below_is_drawn_only_when_it_comes_near(show: Show) -> None:
    cloud = markup(figures.scatter(CLOUD, alt="A cloud."))
    page = show(f'<div class="gap"></div>{cloud}')
    page.wait_for_timeout(200)
    assert page.evaluate("typeof window.Plotly") == "undefined"
    page.locator(".vaebook-plot").scroll_into_view_if_needed()
    expect(page.locator(DRAWN)).to_have_count(1)
    assert page.locator(".point").count() == len(CLOUD)


def test_nothing_moves_when_the_drawing_takes_the_place_of_its_description(show: Show) -> None:
    grid = figures.image_grid(np.zeros((2, 10, 1, 8, 8)), alt="Black. " * 20)
    page = show(f'<div class="gap"></div>{markup(grid)}', viewport={"width": 600, "height": 800})
    plot = page.locator(".vaebook-plot")
    kept = plot.bounding_box()
    expect(plot.locator(".vaebook-plot-fallback")).to_be_attached()
    plot.scroll_into_view_if_needed()
    expect(page.locator(DRAWN)).to_have_count(1)
    drawn = plot.bounding_box()
    assert kept is not None
    assert drawn is not None
    assert drawn["height"] == pytest.approx(kept["height"], abs=2)


def boxes(n: int) -> figures.Figure:
    """Boxes in space side by side, with titles."""
    figure = make_subplots(1, n, specs=[[{"type": "scene"}] * n], subplot_titles=list("ab")[:n])
    for k in range(n):
        figure.add_scatter3d(x=[0, 9], y=[0, 9], z=[0, 9], row=1, col=k + 1)
    titled = {f"{x}axis_title_text": title for x, title in zip("xyz", TITLES, strict=True)}
    camera = {"eye": {"x": -1.5, "y": -3.2, "z": 1.25}}
    figure.update_scenes(**titled, camera=camera, aspectmode="cube")
    figure.update_layout(margin={"l": 0, "r": 0, "b": 0, "t": 30}, showlegend=False)
    return figures.describe(figure, "Two points in each box.", aspect=0.84 / n)


def panels() -> figures.Figure:
    """Two lines in two panels side by side."""
    figure = make_subplots(1, 2, subplot_titles=("a", "b"))
    for k in (1, 2):
        figure.add_scatter(x=[0, 1], y=[0, k], row=1, col=k)
    figure.update_layout(margin_b=60, showlegend=False)
    return figures.describe(figure, "Two lines.", aspect=0.4)


LATE = {
    "boxes": boxes(2),
    "named rows": figures.image_grid(SQUARES, row_labels=["dark squares"] * 2, alt="Black."),
    "pictures": figures.image_grid(np.zeros((2, 10, 1, 8, 8)), alt="Black."),
    "slider": figures.slider(np.zeros((4, 1, 8, 8)), range(4), label="t", alt="Black."),
    "narrow": figures.describe(go.Figure(go.Bar(y=[1, 2])), "Two bars.", max_width=300),
    "stacked": figures.stacked(panels()),
    "folded": figures.image_grid(np.zeros((2, 10, 1, 8, 8)), fold=4, alt="Black."),
    "bar": figures.heatmap(np.eye(2, 6), alt="A bar of colours."),
    "curve": figures.curves({"a": ([1, 2], [3, 4])}, alt="A line."),
    "low": figures.describe(go.Figure(go.Bar(y=[1, 2])), "Two bars.", aspect=0.2),
    "own": figures.Figure(go.Figure(go.Bar(y=[1, 2])).update_layout(height=333)),
}


@pytest.mark.parametrize("width", often([390, 1280], 1))
def test_the_style_alone_keeps_the_room_of_a_drawing(show: Show, width: int) -> None:
    view = {"width": width, "height": 800}
    body = "".join(markup(figure) for figure in LATE.values())
    areas = show(body, viewport=view, java_script_enabled=False).locator(".vaebook-plot-canvas")
    kept = areas.evaluate_all(SIZES)
    page = show(body, viewport=view)
    for n, plot in enumerate(page.locator(".vaebook-plot").all(), 1):
        plot.scroll_into_view_if_needed()
        page.wait_for_function(DRAWN_SO_FAR, arg=n)
    drawn = page.locator(".vaebook-plot-canvas").evaluate_all(SIZES)
    for name, (width_kept, height_kept), (width_drawn, height_drawn) in zip(
        LATE, kept, drawn, strict=True
    ):
        assert width_kept == width_drawn, name
        # Plotly widens a margin by what the labels of an axis need.
        assert height_kept == pytest.approx(height_drawn, abs=20), name


def test_damaged_data_leave_a_message_in_the_figures_place(show: Show) -> None:
    good = markup(figures.scatter(CLOUD, alt="A cloud."))
    bad = good.replace('{"data"', "{data", 1)
    assert bad != good
    page = show(bad + good)
    expect(page.locator(".vaebook-plot-error")).to_contain_text("could not be drawn")
    expect(page.locator(".vaebook-plot-error")).to_contain_text("A cloud.")
    expect(page.locator(DRAWN)).to_have_count(1)


def test_without_scripts_the_description_is_read(show: Show) -> None:
    body = markup(figures.scatter(CLOUD, alt="A round cloud."))
    page = show(body, java_script_enabled=False)
    expect(page.locator(".vaebook-plot-fallback")).to_have_text("A round cloud.")


def test_an_amd_loader_on_the_page_does_not_swallow_plotly(show: Show) -> None:
    page = show(AMD + markup(figures.scatter(CLOUD, alt="A cloud.")))
    expect(page.locator(DRAWN)).to_have_count(1)
    assert page.evaluate("window.define === was")


def test_text_follows_the_mode_of_the_theme(show: Show) -> None:
    page = show(markup(figures.scatter(CLOUD, alt="A cloud.")))
    tick = page.locator(".xtick text").first
    assert tick.evaluate("t => getComputedStyle(t).fill") == "rgb(68, 68, 68)"
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    expect(tick).to_have_css("fill", "rgb(204, 204, 204)")


def test_the_keyboard_moves_the_slider_and_the_image(show: Show) -> None:
    images = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((1, 1, 6, 6))
    page = show(markup(figures.slider(images, [0.0, 0.5, 1.0, 1.5, 2.0], label="z", alt="Grey.")))
    expect(page.locator(DRAWN)).to_have_count(1)
    picture = page.locator(".imagelayer image, .main-svg image").first
    before = picture.get_attribute("href") or picture.get_attribute("xlink:href")
    control = page.get_by_role("slider")
    control.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(control).to_have_attribute("aria-valuetext", "1")
    page.wait_for_timeout(200)
    after = picture.get_attribute("href") or picture.get_attribute("xlink:href")
    assert before != after


def test_the_keyboard_moves_a_slider_between_traces(show: Show) -> None:
    figure = figures.curves({"a": ([0, 1], [0, 1]), "b": ([0, 1], [1, 0])}, alt="Two lines.")
    figure.data[0].visible = False
    chosen = [[True, False], [False, True]]
    steps = [
        {"label": label, "method": "restyle", "args": [{"visible": visible}]}
        for label, visible in zip("ab", chosen, strict=True)
    ]
    figure.update_layout(sliders=[{"active": 1, "steps": steps}])
    page = show(markup(figures.describe(figure, "A line, or the other.")))
    expect(page.locator(DRAWN)).to_have_count(1)
    expect(page.locator(".slider-container")).to_have_count(0)
    control = page.get_by_role("slider")
    expect(control).to_have_attribute("aria-valuetext", "b")
    line = page.locator(".scatterlayer .js-line")
    before = line.get_attribute("d")
    control.focus()
    page.keyboard.press("ArrowLeft")
    expect(control).to_have_attribute("aria-valuetext", "a")
    expect(line).not_to_have_attribute("d", before or "")


def test_a_film_that_plays_takes_its_slider_along(show: Show) -> None:
    lines = [go.Scatter(x=[0, 1], y=[k, 1]) for k in range(3)]
    frames = [go.Frame(data=[line], name=name) for line, name in zip(lines, "abc", strict=True)]
    figure = go.Figure(lines[2], frames=frames)
    at_once = {"mode": "immediate", "frame": {"duration": 100}, "transition": {"duration": 0}}
    steps = [
        {"label": f"frame {name}", "method": "animate", "args": [[name], at_once]}
        for name in "abc"
    ]
    play = {"label": "Play", "method": "animate", "args": [["a", "b"], at_once]}
    figure.update_layout(
        sliders=[{"active": 2, "steps": steps}],
        updatemenus=[{"type": "buttons", "buttons": [play]}],
    )
    page = show(markup(figures.describe(figure, "A line that moves.")))
    expect(page.locator(DRAWN)).to_have_count(1)
    control = page.get_by_role("slider")
    expect(control).to_have_attribute("aria-valuetext", "frame c")
    page.locator(".updatemenu-button").click()
    expect(control).to_have_attribute("aria-valuetext", "frame b")
    expect(control).to_have_value("1")


def test_the_legend_hides_a_class_together_with_its_name(show: Show) -> None:
    page = show(markup(figures.scatter(CLOUD, LABELS, names=["a", "b", "c"], alt="Three.")))
    expect(page.locator(".annotation-text")).to_have_count(3)
    page.locator(".legendtoggle").first.click()
    expect(page.locator(".annotation-text")).to_have_count(2)


@pytest.mark.parametrize(
    ("theme", "rim"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 18, 18)")]
)
def test_a_name_on_dots_has_a_rim_in_the_colour_of_the_page(
    show: Show, theme: str, rim: str
) -> None:
    page = show(markup(figures.scatter(CLOUD, LABELS, names=["a", "b", "c"], alt="Three.")))
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    name = page.locator(".annotation-text").first
    expect(name).to_have_css("stroke", rim)
    expect(name).to_have_css("paint-order", "stroke")


def test_a_figure_has_the_width_that_its_column_got_while_it_was_drawn(show: Show) -> None:
    page = show(f'<div class="gap"></div>{markup(figures.scatter(CLOUD, alt="A cloud."))}')
    page.evaluate(NARROWED_MEANWHILE)
    page.locator(".vaebook-plot").scroll_into_view_if_needed()
    expect(page.locator(DRAWN)).to_have_count(1)
    assert page.locator(".vaebook-plot").evaluate("box => box.clientWidth") == 300
    page.wait_for_function("document.querySelector('.main-svg').clientWidth === 300")


def test_a_figure_keeps_to_the_width_of_the_page(show: Show) -> None:
    images = np.zeros((2, 10, 1, 8, 8))
    page = show(
        markup(figures.image_grid(images, alt="Black.")), viewport={"width": 900, "height": 800}
    )
    expect(page.locator(DRAWN)).to_have_count(1)
    wide = page.locator(".main-svg").first.bounding_box()
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_function("document.querySelector('.main-svg').clientWidth < 360")
    page.wait_for_timeout(200)
    narrow = page.locator(".main-svg").first.bounding_box()
    assert wide is not None
    assert narrow is not None
    margins, aspect = 16, (2 * 9 - 1) / (10 * 9 - 1)  # a gap of one pixel between images
    for box in (wide, narrow):
        assert box["height"] - margins == pytest.approx((box["width"] - margins) * aspect, abs=3)


def test_many_webgl_figures_do_not_blank_one_another(show: Show) -> None:
    space = markup(figures.scatter(RNG.normal(size=(50, 3)), alt="Space."))
    page = show("".join(f'<div id="f{i}">{space}</div>' for i in range(8)))
    lost = []
    page.on("console", lambda m: lost.append(m.text) if "context" in m.text.lower() else None)
    for i in (*range(8), 0):
        page.locator(f"#f{i}").scroll_into_view_if_needed()
        expect(page.locator(f"#f{i} {DRAWN} canvas").first).to_be_visible()
    assert page.locator(DRAWN).count() <= 6
    assert [text for text in lost if re.search("lost|too many", text, re.IGNORECASE)] == []


def pictured(points: np.ndarray, **options: object) -> str:
    """A cloud whose images are of one grey each, from black to white, with words."""
    images = np.linspace(0, 1, len(points))[:, None, None, None] * np.ones((1, 3, 6, 6))
    words = [f"point<sub> {i}</sub><br>of all" for i in range(len(points))]
    return markup(figures.scatter(points, images=images, hover=words, alt="A cloud.", **options))


def grey_of(page: Page) -> float:
    """The grey in the middle of the picture beside a cloud, as it is seen."""
    seen = Image.open(io.BytesIO(page.locator(".vaebook-plot-picture").screenshot()))
    return float(np.asarray(seen.convert("L"))[20:-20, 20:-20].mean())


def test_on_a_touchscreen_the_buttons_of_a_figure_wait_for_a_touch(show: Show) -> None:
    page = show(
        markup(figures.scatter(CLOUD, LABELS, alt="Dots.")), has_touch=True, is_mobile=True
    )
    expect(page.locator(DRAWN)).to_have_count(1)
    buttons = page.locator(".modebar-group").first
    expect(buttons).to_have_css("opacity", "0")
    page.locator(".vaebook-plot-canvas").tap()
    expect(buttons).to_have_css("opacity", "1")


def test_the_image_of_the_point_under_the_pointer_is_shown(show: Show) -> None:
    page = show(pictured(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])))
    expect(page.locator(DRAWN)).to_have_count(1)
    assert grey_of(page) == pytest.approx(0, abs=4)
    for number, grey in ((2, 255), (1, 127.5), (0, 0)):
        page.locator(".point").nth(number).hover(force=True)
        picture = page.get_by_role("img", name=f"Image of the point point {number}, of all")
        expect(picture).to_be_visible()
        assert grey_of(page) == pytest.approx(grey, abs=4)
        expect(page.get_by_role("slider")).to_have_value(str(number))


def test_the_keyboard_chooses_a_point_and_rings_it(show: Show) -> None:
    labels = np.array([1, 0, 1, 0])
    page = show(
        pictured(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), labels=labels)
    )
    expect(page.locator(DRAWN)).to_have_count(1)
    control = page.get_by_role("slider", name="image of point")
    control.focus()
    page.keyboard.press("End")
    expect(control).to_have_attribute("aria-valuetext", "point 3, of all")
    assert grey_of(page) == pytest.approx(255, abs=4)
    ring = page.locator(".scatterlayer .trace").last.locator(".point")
    expect(ring).to_have_count(1)
    box, wanted = ring.bounding_box(), page.locator(".point").nth(1).bounding_box()
    assert box is not None
    assert wanted is not None
    assert box["x"] + box["width"] / 2 == pytest.approx(wanted["x"] + wanted["width"] / 2, abs=2)
    assert box["y"] + box["height"] / 2 == pytest.approx(wanted["y"] + wanted["height"] / 2, abs=2)


def test_points_in_space_have_images_too_and_keep_them_when_drawn_again(show: Show) -> None:
    page = show(pictured(RNG.normal(size=(30, 3))), viewport={"width": 390, "height": 800})
    expect(page.locator(DRAWN)).to_have_count(1)
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert grey_of(page) == pytest.approx(255, abs=4)
    page.set_viewport_size({"width": 800, "height": 800})
    page.wait_for_timeout(300)
    assert grey_of(page) == pytest.approx(255, abs=4)
    # The pointer finds points in space as well: somewhere along a path across the cloud.
    canvas = page.locator(".vaebook-plot-canvas").bounding_box()
    assert canvas is not None
    for step in range(200):
        x = canvas["x"] + canvas["width"] * (0.3 + 0.4 * (step % 20) / 20)
        y = canvas["y"] + canvas["height"] * (0.3 + 0.04 * (step // 20))
        page.mouse.move(x, y)
        page.wait_for_timeout(20)
        if page.get_by_role("slider").input_value() != "29":
            break
    assert grey_of(page) < 250


def settled(canvas: Locator) -> bytes:
    """A picture that changes no more: WebGL may show what a script sets some frames later."""
    before = canvas.screenshot()
    for _ in range(30):
        canvas.page.wait_for_timeout(200)
        after = canvas.screenshot()
        if after == before:
            return after
        before = after
    raise AssertionError("the picture goes on changing")


@pytest.mark.parametrize(("n", "width"), often([(1, 390), (1, 900), (2, 900), (2, 390)], 2))
def test_a_box_in_space_is_as_large_as_the_words_at_its_axes_allow(
    show: Show, n: int, width: int
) -> None:
    page = show(markup(boxes(n)), viewport={"width": width, "height": 900})
    page.wait_for_selector(DRAWN)
    places = []
    for canvas in page.locator(".vaebook-plot canvas").all():
        image = Image.open(io.BytesIO(settled(canvas))).convert("L")
        pixels = np.asarray(image).astype(int)
        inked = pixels < 230
        rows, columns = inked.any(1).nonzero()[0], inked.any(0).nonzero()[0]
        edges = np.concatenate(
            [pixels[-2:].ravel(), pixels[:, :2].ravel(), pixels[:, -2:].ravel()]
        )
        assert (edges > 230).all()  # no word is cut off
        filled = np.ptp(rows) / len(pixels), np.ptp(columns) / len(pixels[0])
        assert max(filled) > 0.72
        assert min(filled) > 0.6
        places.append(canvas.bounding_box())
    assert len(places) == n
    if n == 2:
        assert (places[0]["y"] < places[1]["y"]) == (width == 390)
        assert (places[0]["x"] < places[1]["x"]) == (width == 900)
        titles = [title.bounding_box() for title in page.locator(".annotation-text").all()]
        assert titles[0]["y"] < places[0]["y"] + 20
        assert (titles[1]["y"] > places[0]["y"] + places[0]["height"] - 20) == (width == 390)


def test_below_the_corner_of_a_box_there_is_room_for_its_numbers_only(show: Show) -> None:
    figure = boxes(1).update_scenes(camera_eye={"x": -1.9, "y": -1.9, "z": 1.4})
    page = show(markup(figure), viewport={"width": 900, "height": 900})
    page.wait_for_selector(DRAWN)
    image = Image.open(io.BytesIO(page.locator(".vaebook-plot canvas").screenshot())).convert("L")
    pixels = np.asarray(image).astype(int)
    assert (pixels[-2:] > 230).all()
    assert (pixels[-36:] < 230).any()


def place(page: Page, selector: str) -> list[dict[str, float]]:
    """Where on the page the elements lie."""
    return [element.bounding_box() for element in page.locator(selector).all()]


def test_on_a_phone_long_names_of_rows_stand_above_them(show: Show) -> None:
    names = ["by its score", "by its own code"]
    images = RNG.random((2, 9, 1, 8, 8))
    figure = figures.image_grid(images, row_labels=names, alt="Noise.", hover=range(18))
    page = show(markup(figure), viewport={"width": 390, "height": 800})
    page.wait_for_selector(DRAWN)
    assert page.locator(".annotation-text").all_text_contents() == names
    rows, words = place(page, ".im image"), place(page, ".annotation-text")
    assert len(rows) == len(words) == 2
    (whole,) = place(page, ".vaebook-plot")
    for row, word in zip(rows, words, strict=True):
        assert row["width"] > 0.93 * whole["width"]
        assert row["width"] / row["height"] == pytest.approx(9 * 9 / 9, rel=0.12)
        assert -5 < row["y"] - (word["y"] + word["height"]) < 8
    assert words[1]["y"] > rows[0]["y"] + rows[0]["height"] - 1

    page.set_viewport_size({"width": 900, "height": 800})
    expect(page.locator(".annotation-text")).to_have_count(0)
    expect(page.locator(".ytick text")).to_have_count(2)
    rows, words = place(page, ".im image"), place(page, ".ytick")
    assert words[0]["x"] + words[0]["width"] < rows[0]["x"]
    assert rows[1]["y"] - rows[0]["y"] < 1.2 * rows[0]["height"]


def test_short_names_of_rows_stay_beside_them_on_a_phone(show: Show) -> None:
    figure = figures.image_grid(SQUARES, row_labels=["mean", "draw"], alt="Black.")
    page = show(markup(figure), viewport={"width": 390, "height": 800})
    page.wait_for_selector(DRAWN)
    assert page.locator(".ytick text").all_text_contents() == ["mean", "draw"]


def test_many_names_at_an_axis_do_not_touch_on_a_phone(show: Show) -> None:
    figure = figures.violins({"codes": RNG.normal(size=(50, 20))}, alt="Twenty bells.")
    page = show(markup(figure), viewport={"width": 390, "height": 800})
    page.wait_for_selector(DRAWN)
    names = [name for name in place(page, ".xtick text") if name["width"]]
    assert len(names) == 10
    for name, following in pairwise(names):
        assert following["x"] - (name["x"] + name["width"]) > 2


def test_a_few_names_among_many_columns_all_stay_on_a_phone(show: Show) -> None:
    named = ["left", *[""] * 12, "right", ""]
    figure = figures.image_grid(torch.rand(2, 15, 1, 4, 4), column_labels=named, alt="Noise.")
    page = show(markup(figure), viewport={"width": 390, "height": 800})
    page.wait_for_selector(DRAWN)
    words = page.locator(".xtick text").all_text_contents()
    assert [word for word in words if word.strip()] == ["left", "right"]


def test_without_scripts_no_empty_picture_is_left(show: Show) -> None:
    page = show(pictured(CLOUD), java_script_enabled=False)
    expect(page.locator(".vaebook-plot-fallback")).to_have_text("A cloud.")
    expect(page.locator(".vaebook-plot-picture")).to_have_count(0)


# --- Downloads ----------------------------------------------------------------------------------


def downloaded(page: Page, kind: str) -> bytes:
    """The file that a button of the toolbar gives."""
    page.locator(".vaebook-plot-canvas").hover()
    with page.expect_download() as waiting:
        page.locator(f'.modebar-btn[data-title="Download as {kind}"]').click()
    assert waiting.value.suggested_filename == f"figure.{kind.lower()}"
    return Path(waiting.value.path()).read_bytes()


def test_a_download_from_a_dark_page_is_dark_ink_on_white(show: Show) -> None:
    page = show(markup(figures.curves({"a": ([0, 1], [0, 1])}, alt="A line.", title="Rising")))
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    expect(page.locator(DRAWN)).to_have_count(1)
    image = Image.open(io.BytesIO(downloaded(page, "PNG")))
    box = page.locator(".main-svg").first.bounding_box()
    assert box is not None
    assert image.size == (round(3 * box["width"]), round(3 * box["height"]))
    colours = np.asarray(image.convert("RGBA"))
    assert (colours[..., 3] == 255).all()
    assert (colours[0] == 255).all()
    # The numbers along the left edge: their strokes are as dark as the ink of print.
    left = colours[:, : 3 * 44, :3].astype(int)
    assert left.sum(-1).min() < 3 * 60
    # The page itself stays dark.
    expect(page.locator(".xtick text").first).to_have_css("fill", "rgb(204, 204, 204)")
    expect(page.locator('.modebar-btn[data-title*="Download plot"]')).to_have_count(0)


def test_a_download_shows_what_is_shown_at_the_moment(show: Show) -> None:
    page = show(markup(figures.scatter(CLOUD, LABELS, names=["a", "b", "c"], alt="Three.")))
    expect(page.locator(DRAWN)).to_have_count(1)
    page.locator(".legendtoggle").first.click()
    expect(page.locator(".annotation-text")).to_have_count(2)
    svg = downloaded(page, "SVG").decode()
    assert svg.count('class="annotation-text"') == 2
    assert "rgb(255, 255, 255)" in svg
    assert "rgb(34, 40, 50)" in svg


# --- Elsewhere ----------------------------------------------------------------------------------


def exported(*shown: go.Figure) -> str:
    """A notebook whose cells end in figures, as Jupyter saves it as HTML."""
    cells = []
    for figure in shown:
        output = nbformat.v4.new_output("execute_result", figure._repr_mimebundle_())
        cells.append(nbformat.v4.new_code_cell("figure", outputs=[output]))
    return HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=cells))[0]


def test_a_notebook_saved_as_html_shows_its_figures(show: Show, asked: list[str]) -> None:
    cloud = figures.scatter(CLOUD, LABELS, alt="A cloud.")
    grid = figures.image_grid(np.zeros((2, 3, 3, 8, 8)), alt="Black.")
    # Jupyter's page loads RequireJS, which would take plotly for itself.
    page = show(exported(cloud, grid).replace("<head>", "<head>" + AMD), page_of_its_own=True)
    expect(page.locator(".vaebook-plot .main-svg").first).to_be_visible()
    expect(page.locator(".vaebook-plot .point")).to_have_count(len(CLOUD))
    expect(page.locator(".vaebook-plot .im image")).to_have_count(1)
    expect(page.locator(".vaebook-plot-fallback")).to_have_count(0)
    expect(page.get_by_role("group", name="A cloud.")).to_be_visible()
    assert sum("cdn.plot.ly" in url for url in asked) == 1
    assert page.evaluate("window.define === was")


def test_a_notebook_saved_as_html_and_read_offline_keeps_the_descriptions(
    browser: Browser,
) -> None:
    context = browser.new_context()
    page = context.new_page()
    whole = exported(figures.scatter(CLOUD, alt="A cloud."))
    page.route("**/*", lambda route: route.abort())
    page.route(f"{HOST}probe.html", lambda route: route.fulfill(body=whole))
    page.goto(f"{HOST}probe.html")
    expect(page.locator(".vaebook-plot-fallback")).to_have_text("A cloud.")
    context.close()


def test_a_page_of_the_book_asks_no_other_host(show: Show, asked: list[str]) -> None:
    page = show(markup(figures.scatter(CLOUD, alt="A cloud.")))
    expect(page.locator(DRAWN)).to_have_count(1)
    page.wait_for_timeout(300)
    assert asked == []
    assert page.locator(".vaebook-plot .main-svg").first.is_visible()
    assert page.locator(".plot-container").count() == 1


def test_a_saved_page_works_from_a_file_without_a_network(
    browser: Browser, tmp_path: Path
) -> None:
    images = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((1, 1, 6, 6))
    figures.slider(images, range(5), label="z", alt="Grey.").save(tmp_path / "grey.html")
    context = browser.new_context()
    page = context.new_page()
    left = []
    page.on("request", lambda request: left.append(request.url))
    page.goto((tmp_path / "grey.html").as_uri())
    expect(page.locator(".main-svg").first).to_be_visible()
    expect(page.locator(".slider-group")).to_be_visible()
    page.wait_for_timeout(200)
    assert [url for url in left if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
