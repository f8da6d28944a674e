"""Figures hold the data that they were given, in the shape in which a page can draw them."""

import base64
import html
import io
import json
import re

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from vaebook import figures
from vaebook.figures.pictures import round_ticks
from vaebook.figures.renderer import CATEGORICAL, BookRenderer, register

RNG = np.random.default_rng(0)
GRID = RNG.random((3, 4, 5, 6)).astype(np.float32)
STRIP = GRID.reshape(12, 1, 5, 6)


def pixels(trace: go.Image) -> np.ndarray:
    """Decode the picture of a trace: grey and alpha, one entry for each original pixel."""
    data = base64.b64decode(trace.source.split(",")[1])
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("LA"))
    fold = round(1 / trace.dx)
    return picture[::fold, ::fold]


def page_json(figure: go.Figure) -> dict:
    """Read the figure back from the HTML that a page gets."""
    text = BookRenderer().to_mimebundle(figure.to_dict())["text/html"]
    return json.loads(re.search(r'application/json">(.*?)</script>', text)[1])


EVERY = {
    "scatter": figures.scatter(RNG.normal(size=(20, 2)), np.arange(20) % 3, alt="Points."),
    "space": figures.scatter(RNG.normal(size=(20, 3)), colour=np.arange(20), alt="Points."),
    "image_grid": figures.image_grid(GRID, alt="Noise."),
    "film_strip": figures.film_strip(STRIP, alt="Noise."),
    "manifold": figures.manifold(GRID, np.arange(4), np.arange(3), alt="Noise."),
    "curves": figures.curves({"a": ([1, 2], [3, 4]), "b": ([1], [2], [1], [3])}, alt="Lines."),
    "slider": figures.slider(STRIP, range(12), label="t", alt="Noise."),
    "heatmap": figures.heatmap(np.eye(4), contour=True, alt="A diagonal."),
    "violins": figures.violins({"a": RNG.normal(size=(30, 3))}, alt="Violins."),
    "polar": figures.violins({"a": RNG.normal(size=(30, 3))}, polar=True, alt="Violins."),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_figure_carries_its_description_and_the_template(name: str) -> None:
    layout = EVERY[name].layout
    assert layout.meta["alt"].endswith(".")
    assert layout.template.layout.colorway == CATEGORICAL
    assert layout.height > 0


@pytest.mark.parametrize("name", EVERY)
def test_the_html_of_a_figure_names_it_and_holds_all_its_data(name: str) -> None:
    figure = EVERY[name]
    assert page_json(figure)["data"] == json.loads(pio.to_json(figure))["data"]
    text = BookRenderer().to_mimebundle(figure.to_dict())["text/html"]
    assert f'aria-label="{figure.layout.meta["alt"]}"' in text


def test_no_text_of_a_figure_can_end_its_script_or_its_attribute() -> None:
    nasty = '</script><b>"it"&'
    figure = figures.curves({"a": ([1], [2])}, alt=nasty, x_title=nasty)
    text = BookRenderer().to_mimebundle(figure.to_dict())["text/html"]
    assert text.count("</script>") == 1
    assert f'aria-label="{html.escape(nasty)}"' in text
    assert page_json(figure)["layout"]["xaxis"]["title"]["text"] == nasty


@pytest.mark.parametrize(
    ("chosen", "after"),
    [("plotly_mimetype", "plotly_mimetype+book"), ("colab", "colab"), ("browser", "browser")],
)
def test_the_renderer_is_added_only_where_plotly_chose_the_bare_mime_type(
    chosen: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pio.renderers.default
    pio.renderers.default = chosen
    register()
    assert pio.renderers.default == after
    pio.renderers.default = before


@pytest.mark.parametrize("alt", ["", "  ", None, 3])
def test_a_figure_without_description_is_refused(alt: object) -> None:
    with pytest.raises(ValueError, match="alt must say"):
        figures.describe(go.Figure(), alt)  # type: ignore[arg-type]


def test_a_scatter_splits_the_points_by_class_and_keeps_float32() -> None:
    points, labels = RNG.normal(size=(50, 2)), np.arange(50) % 3
    figure = figures.scatter(points, labels, names=["a", "b", "c"], alt="Three.")
    for label, (trace, name) in enumerate(zip(figure.data, "abc", strict=True)):
        assert trace.name == name
        assert trace.x.dtype == np.float32
        assert_allclose(np.c_[trace.x, trace.y], points[labels == label], rtol=1e-6)
    medians = [(a.text, a.x, a.y) for a in figure.layout.annotations]
    for text, x, y in medians:
        assert_allclose([x, y], np.median(points[labels == "abc".index(text)], axis=0), rtol=1e-5)


def test_a_scatter_takes_tensors_on_the_graph() -> None:
    points = torch.randn(10, 2, requires_grad=True)
    trace = figures.scatter(points, alt="Points.").data[0]
    assert_array_equal(trace.y, points.detach()[:, 1])


def test_a_large_cloud_is_drawn_by_webgl() -> None:
    small, large = (figures.scatter(np.zeros((n, 2)), alt="A dot.") for n in (100, 5000))
    assert (small.data[0].type, large.data[0].type) == ("scatter", "scattergl")


def test_an_image_grid_shows_every_pixel_where_it_belongs() -> None:
    picture = pixels(figures.image_grid(GRID, alt="Noise.").data[0])
    assert picture.shape == (3 * 6 - 1, 4 * 7 - 1, 2)
    for r in range(3):
        for c in range(4):
            cell = picture[6 * r : 6 * r + 5, 7 * c : 7 * c + 6]
            assert_array_equal(cell[..., 0], np.rint(255 * GRID[r, c]))
            assert (cell[..., 1] == 255).all()
    assert (picture[5, :, 1] == 0).all()


def test_an_image_grid_leaves_missing_places_transparent() -> None:
    picture = pixels(figures.image_grid(STRIP[:5], columns=3, alt="Noise.").data[0])
    assert picture.shape == (2 * 6 - 1, 3 * 7 - 1, 2)
    assert_array_equal(picture[6:11, 7:13, 0], np.rint(255 * STRIP[4, 0]))
    assert (picture[6:11, 14:20, 1] == 0).all()


def test_a_manifold_has_its_first_row_at_the_bottom() -> None:
    picture = pixels(EVERY["manifold"].data[0])
    assert_array_equal(picture[-5:, :6, 0], np.rint(255 * GRID[0, 0]))
    assert_array_equal(picture[:5, -6:, 0], np.rint(255 * GRID[2, 3]))
    hover = EVERY["manifold"].data[1]
    assert hover.text[0] == "(0.00, 2.00)"
    assert (hover.x[0], hover.y[0]) == (2.5, 2.0)


@given(
    st.floats(-50, 50, allow_subnormal=False),
    st.floats(0.01, 100),
    st.integers(2, 30),
    st.integers(1, 40),
    st.booleans(),
)
def test_ticks_of_a_manifold_stand_at_their_own_coordinates(
    low: float, span: float, n: int, pitch: int, down: bool
) -> None:
    values = np.linspace(low, low + span, n).astype(np.float32)[:: -1 if down else 1]
    ticks = round_ticks(values, pitch)
    places = (np.array(ticks["tickvals"]) - (pitch - 1) / 2) / pitch
    found = np.interp(places, np.arange(n), values)
    shown = [float(t.replace("\N{MINUS SIGN}", "-")) for t in ticks["ticktext"]]
    assert 1 <= len(shown) <= 8
    assert_allclose(found, shown, atol=6e-3 * max(abs(low), abs(low + span), span))


def test_every_frame_of_a_slider_is_its_image_and_every_step_its_frame() -> None:
    figure = EVERY["slider"]
    (control,) = figure.layout.sliders
    assert [step.label for step in control.steps] == [str(t) for t in range(12)]
    assert [step.args[0][0] for step in control.steps] == [frame.name for frame in figure.frames]
    for frame, image in zip(figure.frames, STRIP[:, 0], strict=True):
        assert_array_equal(pixels(frame.data[0])[..., 0], np.rint(255 * image))


def test_curves_keep_the_ends_of_their_bands() -> None:
    x, y = np.arange(3.0), np.array([1.0, 4.0, 2.0])
    band, line = figures.curves({"a": (x, y, y - 1, y + 2)}, alt="A line.").data
    assert_array_equal(line.y, y)
    assert_array_equal(band.y, [*(y + 2), *(y - 1)[::-1]])
    assert_array_equal(band.x, [*x, *x[::-1]])


def test_a_heatmap_puts_values_at_their_coordinates() -> None:
    values = RNG.random((3, 5)).astype(np.float32)
    trace = figures.heatmap(values, np.arange(5), np.arange(3), alt="Noise.").data[0]
    assert_array_equal(trace.z, values)
    assert (len(trace.x), len(trace.y)) == (5, 3)


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("page", ["#ffffff", "#14181e", "#121212"])
def test_the_colours_of_classes_stand_out_from_the_page(page: str) -> None:
    assert len(set(CATEGORICAL)) == 10
    for colour in CATEGORICAL:
        low, high = sorted([luminance(colour), luminance(page)])
        assert (high + 0.05) / (low + 0.05) >= 2.99


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.scatter(np.zeros((3, 4)), alt="x"), r"points must be \[N, 2\]"),
        (lambda: figures.scatter(np.full((3, 2), np.nan), alt="x"), "points must be finite"),
        (lambda: figures.scatter(np.zeros((3, 2)), [1, 2], alt="x"), r"labels must be \[3\]"),
        (
            lambda: figures.scatter(np.zeros((2, 2)), [0, 1], colour=[0, 1], alt="x"),
            "labels or by colour, got both",
        ),
        (lambda: figures.scatter(np.zeros((1, 2)), [3], names="ab", alt="x"), "cover every label"),
        (lambda: figures.image_grid(GRID + 1, alt="x"), r"must lie in \[0, 1\], got values"),
        (lambda: figures.image_grid(GRID[0], alt="x"), r"4 dimension\(s\), got shape"),
        (lambda: figures.image_grid(GRID, columns=2, alt="x"), "columns sets images"),
        (lambda: figures.image_grid(GRID, row_labels="ab", alt="x"), "row_labels must be 3"),
        (lambda: figures.image_grid(GRID, hover="ab", alt="x"), "hover must be 12"),
        (lambda: figures.film_strip(GRID, alt="x"), r"must be \[T, 1, H, W\]"),
        (lambda: figures.manifold(GRID, [1, 2], [1, 2, 3], alt="x"), r"= \[3, 2, H, W\]"),
        (lambda: figures.curves({}, alt="x"), "at least one line"),
        (lambda: figures.curves({"a": ([1], [1], [1])}, alt="x"), "low, high"),
        (lambda: figures.curves({"a": ([1], [1, 2])}, alt="x"), "of one length"),
        (lambda: figures.slider(STRIP, [1], label="t", alt="x"), "values must be 12"),
        (lambda: figures.heatmap(np.eye(3), [1, 2], [1, 2, 3], alt="x"), "values must be"),
        (lambda: figures.describe(go.Figure(), "x", aspect=0), "aspect must be positive"),
    ],
)
def test_what_can_not_be_drawn_is_refused_by_name(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def sheet(figure: go.Figure) -> tuple[dict, np.ndarray]:
    """The album of a figure and its sheet of images."""
    album = figure.layout.meta["album"]
    data = base64.b64decode(album["source"].split(",")[1])
    return album, np.asarray(Image.open(io.BytesIO(data)).convert("L")) / 255


@given(n=st.integers(1, 12), height=st.integers(2, 20), width=st.integers(2, 20))
def test_each_image_of_a_pictured_cloud_lies_in_its_place_of_the_sheet(
    n: int, height: int, width: int
) -> None:
    grey = np.arange(n) / max(1, n - 1)
    slope = np.linspace(0, 0.2, width)[None, None, None, :]
    images = np.broadcast_to(0.8 * grey[:, None, None, None] + slope, (n, 1, height, width))
    album, cells = sheet(figures.scatter(RNG.normal(size=(n, 2)), images=images, alt="Points."))
    assert album["count"] == n
    assert album["size"] == [width, height]
    across, down = album["pitch"]
    for i in range(n):
        row, column = divmod(i, album["columns"])
        found = cells[row * down :, column * across :][:height, :width]
        # What JPEG loses of a slope is a few greys of 255; the images are further apart.
        assert_allclose(found, images[i, 0], atol=0.04)


def test_points_of_every_class_keep_the_number_of_their_image_and_their_text() -> None:
    labels = np.array([2, 0, 2, 1, 0])
    for dim in (2, 3):
        figure = figures.scatter(
            RNG.normal(size=(5, dim)),
            labels,
            images=STRIP[:5],
            hover=[f"no. {i}" for i in range(5)],
            alt="Points.",
        )
        numbers = [list(trace.customdata) for trace in figure.data]
        assert numbers == [[1, 4], [3], [0, 2]]
        assert [list(trace.text) for trace in figure.data] == [
            [f"no. {i}" for i in group] for group in numbers
        ]
        assert {trace.hovertemplate for trace in figure.data} == {"%{text}"}
        assert figure.layout.meta["alt"] == "Points."


def test_a_cloud_without_images_carries_no_album() -> None:
    assert "album" not in EVERY["scatter"].layout.meta
    assert EVERY["scatter"].data[0].customdata is None


def test_images_and_texts_of_a_cloud_are_one_a_point() -> None:
    with pytest.raises(ValueError, match="images must be 3, one a point, got 12"):
        figures.scatter(np.eye(3), images=STRIP, alt="Points.")
    with pytest.raises(ValueError, match="hover must be 3, one a point, got 2"):
        figures.scatter(np.eye(3), hover=["a", "b"], alt="Points.")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        figures.scatter(np.eye(3), images=3 * STRIP[:3], alt="Points.")


# --- Violins ------------------------------------------------------------------------------------


def rings(trace: go.Scatter | go.Scatterpolar) -> list[np.ndarray]:
    """The closed lines of a trace, [P, 2] each: place and value."""
    across = trace.x if isinstance(trace, go.Scatter) else trace.theta
    up = trace.y if isinstance(trace, go.Scatter) else trace.r
    points = np.stack([across, up], 1).astype(float)
    gaps = np.isnan(points[:, 0]).nonzero()[0]
    return [part[~np.isnan(part[:, 0])] for part in np.split(points, gaps) if len(part) > 1]


def test_a_violin_is_as_wide_as_the_density_of_its_column_and_reaches_its_extremes() -> None:
    values = np.random.default_rng(1).normal(2.0, 0.5, (4000, 1))
    ring = rings(figures.violins({"a": values}, alt="One.").data[0])[0]
    assert_allclose([ring[:, 1].min(), ring[:, 1].max()], [values.min(), values.max()], atol=1e-3)
    right = ring[ring[:, 0] > 0.02]
    # A normal density, relative to its peak; the kernel widens it a little.
    truth = 0.44 * np.exp(-0.5 * ((right[:, 1] - 2.0) / 0.5) ** 2)
    assert_allclose(right[:, 0], truth, atol=0.04)
    assert_allclose(np.abs(ring[:, 0]).max(), 0.44, atol=1e-3)


@pytest.mark.parametrize("polar", [False, True])
def test_of_two_clouds_each_has_its_own_side_of_every_column(polar: bool) -> None:
    one, two = RNG.normal(size=(50, 4)), RNG.normal(size=(60, 4))
    figure = figures.violins({"one": one, "two": two}, polar=polar, alt="Two.")
    outlines = [trace for trace in figure.data if trace.fill == "toself"]
    assert [trace.name for trace in outlines] == ["one", "two"]
    unit = 90 if polar else 1
    for j in range(4):
        left, right = (rings(trace)[j][:, 0] / unit - j for trace in outlines)
        assert left.max() <= 1e-3 < 0.4 < -left.min() < 0.5
        assert right.min() >= -1e-3 > -0.4
        assert 0.4 < right.max() < 0.5


def test_boxes_are_the_percentiles_of_their_columns() -> None:
    values = np.arange(101.0)[:, None] * [1, -2]
    figure = figures.violins({"a": values}, alt="Boxes.")
    thin, thick, dots = figure.data[1:]
    assert_allclose([ring[:, 1] for ring in rings(thin)], [[5, 95], [-190, -10]])
    assert_allclose([ring[:, 1] for ring in rings(thick)], [[25, 75], [-150, -50]])
    assert_allclose(dots.y, [50, -100])


def test_columns_that_are_not_filled_are_outlines() -> None:
    figure = figures.violins({"a": RNG.normal(size=(9, 3))}, filled={"a": [1, 0, 1]}, alt="x.")
    solid, hollow = (trace for trace in figure.data if trace.fill == "toself")
    assert len(rings(solid)) == 2
    assert len(rings(hollow)) == 1
    assert hollow.fillcolor.endswith("0.0)")


@pytest.mark.parametrize(("low", "high"), [(-3.7, 4.1), (0.0, 1.0), (120.0, 260.0), (2.0, 2.0)])
def test_the_radius_has_a_few_round_numbers_inside_the_data(low: float, high: float) -> None:
    cloud = np.array([[low], [high]])
    figure = figures.violins({"a": cloud}, polar=True, alt="x.")
    ticks = figure.layout.polar.radialaxis.tickvals
    assert 1 <= len(ticks) <= 5
    assert low <= min(ticks) <= max(ticks) <= high
    assert_allclose(np.diff(ticks, 2), 0, atol=1e-9)


def test_a_constant_column_is_a_line_across() -> None:
    ring = rings(figures.violins({"a": np.ones((5, 1))}, alt="One.").data[0])[0]
    assert set(ring[:, 1]) == {1.0}


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        ({}, {}, "one cloud or two, got 0"),
        (dict.fromkeys("abc", np.eye(3)), {}, "one cloud or two, got 3"),
        ({"a": np.eye(3), "b": np.ones((3, 2))}, {}, r"\[\[3, 3\], \[3, 2\]\]"),
        ({"a": np.eye(3)}, {"names": ["x"]}, "names must be 3, one a column, got 1"),
        ({"a": np.eye(3)}, {"filled": {"a": [True]}}, "filled"),
    ],
)
def test_violins_refuse_what_does_not_fit(samples: dict, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.violins(samples, alt="x.", **options)
