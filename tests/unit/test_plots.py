"""Figures hold the data that they were given, in the shape in which a page can draw them."""

from functools import cache
from itertools import combinations

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from tests.unit.figures_checks import COLOURED, GRID, RNG, STRIP, eight_bits, pixels
from vaebook import figures
from vaebook.figures import CATEGORICAL

EVERY = {
    "scatter": lambda: figures.scatter(RNG.normal(size=(20, 2)), np.arange(20) % 3, alt="A."),
    "space": lambda: figures.scatter(
        RNG.normal(size=(20, 3)), colour=np.arange(20), alt="Points."
    ),
    "image_grid": lambda: figures.image_grid(GRID, alt="Noise."),
    "film_strip": lambda: figures.film_strip(STRIP, alt="Noise."),
    "manifold": lambda: figures.manifold(GRID, np.arange(4), np.arange(3), alt="Noise."),
    "curves": lambda: figures.curves(
        {"a": ([1, 2], [3, 4]), "b": ([1], [2], [1], [3])}, alt="Lines."
    ),
    "slider": lambda: figures.slider(STRIP, range(12), label="t", alt="Noise."),
    "heatmap": lambda: figures.heatmap(np.eye(4), contour=True, alt="A diagonal."),
    "violins": lambda: figures.violins({"a": RNG.normal(size=(30, 3))}, alt="Violins."),
    "polar": lambda: figures.violins({"a": RNG.normal(size=(30, 3))}, polar=True, alt="Violins."),
}


@cache
def drawn(name: str) -> figures.Figure:
    """Draw one of every kind."""
    return EVERY[name]()


@pytest.mark.parametrize("name", EVERY)
def test_every_figure_carries_its_description_and_the_template(name: str) -> None:
    assert isinstance(drawn(name), figures.Figure)
    layout = drawn(name).layout
    assert layout.meta["alt"].endswith(".")
    assert layout.template.layout.colorway == CATEGORICAL
    assert layout.height > 0


# --- Clouds -------------------------------------------------------------------------------------


def test_a_scatter_splits_the_points_by_class_and_keeps_float32() -> None:
    points, labels = RNG.normal(size=(50, 2)), np.arange(50) % 3
    figure = figures.scatter(points, labels, names=["a", "b", "c"], alt="Three.")
    for label, (trace, name) in enumerate(zip(figure.data, "abc", strict=True)):
        assert trace.name == name
        assert trace.x.dtype == np.float32
        assert_allclose(np.c_[trace.x, trace.y], points[labels == label], rtol=1e-6)


def test_a_name_stands_above_the_point_nearest_to_the_median_of_its_class() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = 5 * np.c_[np.cos(angles), np.sin(angles)]
    figure = figures.scatter([*ring, [7, 7], [8, 8], [9, 9]], [0] * 40 + [1] * 3, alt="Two.")
    on_ring, among_three = [(a.x, a.y) for a in figure.layout.annotations]
    assert_allclose(np.hypot(*on_ring), 5, rtol=1e-5)
    assert among_three == (8, 8)


@pytest.mark.parametrize(("last", "dtick"), [(1000, 1), (30, None)])
def test_a_long_logarithmic_axis_names_powers_of_ten_only(last: float, dtick: int | None) -> None:
    series = {"a": ([1, 3, last], [0, 1, np.nan]), "b": ([2, 4, 5], [0, 0, 0])}
    figure = figures.curves(series, log_x=True, log_y=True, alt="Lines.")
    assert (figure.layout.xaxis.type, figure.layout.xaxis.dtick) == ("log", dtick)
    assert (figure.layout.yaxis.type, figure.layout.yaxis.dtick) == ("log", None)


def test_names_of_classes_at_one_place_do_not_lie_on_each_other() -> None:
    points = [*RNG.normal(size=(60, 2)), [-150, 0], [150, 0]]
    names = ["pullover", "shirt", "coat", "far left", "far right"]
    figure = figures.scatter(points, [*np.arange(60) % 3, 3, 4], names=names, alt="A crowd.")
    places = np.array([(a.x, a.y) for a in figure.layout.annotations])
    for i, j in combinations(range(5), 2):  # one unit is a pixel where the cloud is 300 wide
        apart = np.abs(places[i] - places[j])
        assert apart[0] >= 4 * (len(names[i]) + len(names[j])) or apart[1] >= 15
    assert_allclose(places[3:], [[-150, 0], [150, 0]])


def test_no_names_are_those_of_a_set_without_names() -> None:
    points = RNG.normal(size=(4, 2))
    assert figures.scatter(points, names=(), alt="One.") == figures.scatter(points, alt="One.")
    named = figures.scatter(points, [0, 1, 1, 3], names=(), alt="Three.")
    assert [trace.name for trace in named.data] == ["0", "1", "3"]


@pytest.mark.parametrize("dim", [2, 3])
def test_a_class_has_its_own_colour_whichever_others_are_there(dim: int) -> None:
    points = RNG.normal(size=(4, dim))
    figure = figures.scatter(points, torch.tensor([7, 2, 7, 2]), alt="Two.")
    assert [trace.marker.color for trace in figure.data] == [CATEGORICAL[2], CATEGORICAL[7]]


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
def test_fifty_classes_differ_in_colour_or_shape(dim: int) -> None:
    figure = figures.scatter(RNG.normal(size=(50, dim)), np.arange(50), alt="Fifty.")
    looks = [(trace.marker.color, trace.marker.symbol) for trace in figure.data]
    assert len(set(looks)) == 50
    # Eight colours are told apart by everyone; beyond that there is a second cue.
    assert {symbol for _, symbol in looks[:8]} == {"circle"}
    assert "circle" not in {symbol for _, symbol in looks[8:18]}


def test_a_scatter_takes_tensors_on_the_graph() -> None:
    points = torch.randn(10, 2, requires_grad=True)
    trace = figures.scatter(points, alt="Points.").data[0]
    assert_array_equal(trace.y, points.detach()[:, 1])


def test_a_large_cloud_is_drawn_by_webgl() -> None:
    small, large = (figures.scatter(np.zeros((n, 2)), alt="A dot.") for n in (100, 5000))
    assert (small.data[0].type, large.data[0].type) == ("scatter", "scattergl")


def test_classes_of_a_large_cloud_are_drawn_in_turns_and_each_is_named_once() -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(6000, 2)), rng.integers(0, 3, 6000)
    figure = figures.scatter(points, labels, alt="A cloud.")
    names = [trace.name for trace in figure.data]
    assert names == names[:3] * (len(names) // 3) != names[:3]
    shown = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert shown == names[:3]
    for label, name in enumerate(names[:3]):
        drawn = [np.stack([t.x, t.y], 1) for t in figure.data if t.name == name]
        members = points[labels == label].astype(np.float32)
        assert sorted(map(tuple, np.concatenate(drawn))) == sorted(map(tuple, members))


def test_points_of_every_class_keep_the_number_of_their_image_and_their_text() -> None:
    labels = np.array([2, 0, 2, 1, 0])
    for dim, images in ((2, STRIP[:5]), (3, COLOURED.reshape(12, 3, 5, 6)[:5])):
        figure = figures.scatter(
            RNG.normal(size=(5, dim)),
            labels,
            images=images,
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
        assert figure.layout.meta["album"]["count"] == 5


def test_a_cloud_without_images_carries_no_album() -> None:
    assert "album" not in drawn("scatter").layout.meta
    assert drawn("scatter").data[0].customdata is None


def test_images_and_texts_of_a_cloud_are_one_per_point() -> None:
    with pytest.raises(ValueError, match="images must be 3, one per point, got 12"):
        figures.scatter(np.eye(3), images=STRIP, alt="Points.")
    with pytest.raises(ValueError, match="hover must be 3, one per point, got 2"):
        figures.scatter(np.eye(3), hover=["a", "b"], alt="Points.")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        figures.scatter(np.eye(3), images=3 * STRIP[:3], alt="Points.")


# --- Images -------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [GRID, COLOURED], ids=["grey", "colour"])
def test_rows_of_images_and_images_with_columns_are_the_same_grid(images: np.ndarray) -> None:
    rows = figures.image_grid(images, alt="Noise.")
    columns = figures.image_grid(images.reshape(-1, *images.shape[2:]), columns=4, alt="Noise.")
    assert rows == columns
    found = pixels(rows.data[0])
    assert_array_equal(found[6:11, 14:20, :3], eight_bits(images[1, 2]))


def test_an_image_grid_leaves_missing_places_transparent() -> None:
    picture = pixels(figures.image_grid(STRIP[:5], columns=3, alt="Noise.").data[0])
    assert picture.shape == (2 * 6 - 1, 3 * 7 - 1, 4)
    assert_array_equal(picture[6:11, 7:13, :3], eight_bits(STRIP[4]))
    assert (picture[6:11, 14:20, 3] == 0).all()


def test_labels_of_a_grid_stand_in_the_middle_of_their_rows_and_columns() -> None:
    layout = figures.image_grid(
        GRID, row_labels="abc", column_labels=[0.5, -1.0, 2, 3], alt="Noise."
    ).layout
    assert layout.yaxis.ticktext == ("a", "b", "c")
    assert layout.yaxis.tickvals == (2, 8, 14)
    assert layout.xaxis.ticktext == ("0.5", "\N{MINUS SIGN}1", "2", "3")
    assert layout.xaxis.tickvals == (2.5, 9.5, 16.5, 23.5)


def test_a_folded_grid_has_all_columns_but_the_one_between_on_a_phone() -> None:
    grid = figures.image_grid(np.zeros((2, 10, 1, 8, 8)), fold=4, alt="Black.")
    left, right = grid.layout.xaxis.range
    parts = grid.layout.meta["narrow"]["parts"]
    column = (right - left) / 10
    for name, first, last in (("xaxis", 0, 4), ("xaxis2", 5, 10)):
        begin, end = parts[name]["range"]
        assert begin == pytest.approx(left + first * column, abs=0.2 * column)
        assert end == pytest.approx(left + last * column, abs=0.2 * column)
    assert parts["yaxis"]["domain"][0] > parts["yaxis2"]["domain"][1]
    for wrong in ({"fold": 9}, {"fold": 4, "row_labels": ["a", "b"]}):
        with pytest.raises(ValueError, match="fold must be less than 9"):
            figures.image_grid(np.zeros((2, 10, 1, 8, 8)), alt="Black.", **wrong)


def test_texts_under_the_pointer_lie_on_their_images() -> None:
    trace = figures.image_grid(STRIP[:5], columns=3, hover="abcde", alt="Noise.").data[1]
    assert list(trace.text) == list("abcde")
    assert (trace.x[4], trace.y[4]) == (9.5, 8)


def test_a_film_strip_is_one_row() -> None:
    found = pixels(figures.film_strip(COLOURED[0], labels=range(4), alt="Noise.").data[0])
    assert found.shape == (5, 4 * 7 - 1, 4)
    assert_array_equal(found[:, 7:13, :3], eight_bits(COLOURED[0, 1]))


@pytest.mark.parametrize("images", [GRID, COLOURED], ids=["grey", "colour"])
def test_a_manifold_has_its_first_row_at_the_bottom(images: np.ndarray) -> None:
    figure = figures.manifold(images, np.arange(4), np.arange(3), alt="Noise.")
    picture = pixels(figure.data[0])
    assert_array_equal(picture[-5:, :6, :3], eight_bits(images[0, 0]))
    assert_array_equal(picture[:5, -6:, :3], eight_bits(images[2, 3]))
    hover = figure.data[1]
    assert hover.text[0] == "(0.00, 2.00)"
    assert (hover.x[0], hover.y[0]) == (2.5, 2.0)


@pytest.mark.parametrize("images", [STRIP, COLOURED.reshape(12, 3, 5, 6)], ids=["grey", "colour"])
def test_every_frame_of_a_slider_is_its_image_and_every_step_its_frame(images: np.ndarray) -> None:
    figure = figures.slider(images, range(12), label="t", alt="Noise.")
    (control,) = figure.layout.sliders
    assert [step.label for step in control.steps] == [str(t) for t in range(12)]
    assert [step.args[0][0] for step in control.steps] == [frame.name for frame in figure.frames]
    for frame, image in zip(figure.frames, images, strict=True):
        assert_array_equal(pixels(frame.data[0])[..., :3], eight_bits(image))


def test_a_slider_opens_at_the_image_that_is_asked_for() -> None:
    figure = figures.slider(STRIP, range(12), label="t", alt="Noise.", active=7)
    assert figure.layout.sliders[0].active == 7
    assert_array_equal(pixels(figure.data[0])[..., :3], eight_bits(STRIP[7]))


# --- Lines and fields ---------------------------------------------------------------------------


def test_curves_keep_the_ends_of_their_bands() -> None:
    x, y = np.arange(3.0), np.array([1.0, 4.0, 2.0])
    band, line = figures.curves({"a": (x, y, y - 1, y + 2)}, alt="A line.").data
    assert_array_equal(line.y, y)
    assert_array_equal(band.y, [*(y + 2), *(y - 1)[::-1]])
    assert_array_equal(band.x, [*x, *x[::-1]])


def test_fifty_lines_differ_in_colour_or_dash() -> None:
    lines = figures.curves({str(k): ([0, 1], [k, k]) for k in range(50)}, alt="Fifty.").data
    assert len({(trace.line.color, trace.line.dash) for trace in lines}) == 50


def test_a_heatmap_puts_values_at_their_coordinates() -> None:
    values = RNG.random((3, 5)).astype(np.float32)
    trace = figures.heatmap(values, np.arange(5), np.arange(3), alt="Noise.").data[0]
    assert_array_equal(trace.z, values)
    assert (len(trace.x), len(trace.y)) == (5, 3)


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
        (
            lambda: figures.scatter(np.zeros((2, 2)), colour=[0, np.nan], alt="x"),
            "colour must be finite",
        ),
        (
            lambda: figures.scatter(np.zeros((1, 2)), [3], names="ab", alt="x"),
            "names must cover every label, got 2 for label 3",
        ),
        (lambda: figures.scatter(np.zeros((1, 2)), names="ab", alt="x"), "names are those of"),
        (lambda: figures.image_grid(GRID + 1, alt="x"), r"must lie in \[0, 1\], got values"),
        (lambda: figures.image_grid(STRIP, alt="x"), "where columns is None, got shape"),
        (lambda: figures.image_grid(GRID, columns=2, alt="x"), r"images must be \[N, C, H, W\]"),
        (lambda: figures.image_grid(STRIP, columns=0, alt="x"), "columns must be a whole number"),
        (lambda: figures.image_grid(GRID, row_labels="ab", alt="x"), "row_labels must be 3"),
        (lambda: figures.image_grid(GRID, column_labels="a", alt="x"), "column_labels must be 4"),
        (lambda: figures.image_grid(GRID, hover="ab", alt="x"), "hover must be 12, one per image"),
        (
            lambda: figures.film_strip(STRIP, labels="a", alt="x"),
            "labels must be 12, one per image",
        ),
        (lambda: figures.film_strip(GRID, alt="x"), r"must be \[N, C, H, W\]"),
        (lambda: figures.manifold(GRID, [1, 2], [1, 2, 3], alt="x"), r"= \[3, 2, C, H, W\]"),
        (lambda: figures.manifold(GRID, [1, 3, 2, 4], [1, 2, 3], alt="x"), "z1 must rise, or"),
        (lambda: figures.curves({}, alt="x"), "series must map at least one name"),
        (lambda: figures.curves([([1], [1])], alt="x"), "series must map at least one name"),
        (lambda: figures.curves({"a": 1}, alt="x"), r"series\['a'\] must be \(x, y\)"),
        (lambda: figures.curves({"a": ([1], [1], [1])}, alt="x"), "low, high"),
        (lambda: figures.curves({"a": ([1], [1, 2])}, alt="x"), "of one length"),
        (lambda: figures.slider(STRIP, [1], label="t", alt="x"), "values must be 12"),
        (
            lambda: figures.slider(STRIP, range(12), label="t", alt="x", active=12),
            "active must be less than 12",
        ),
        (lambda: figures.heatmap(np.eye(3), [1, 2], [1, 2, 3], alt="x"), "values must be"),
        (lambda: figures.heatmap(np.eye(2), [1, 1], alt="x"), "x must rise, or fall"),
    ],
)
def test_what_can_not_be_drawn_is_refused_by_name(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


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
        ({}, {}, "one name or two to clouds"),
        (dict.fromkeys("abc", np.eye(3)), {}, "one name or two to clouds"),
        ({"a": np.eye(3), "b": np.ones((3, 2))}, {}, r"\[\[3, 3\], \[3, 2\]\]"),
        ({"a": np.eye(3)}, {"names": ["x"]}, "names must be 3, one per column, got 1"),
        (np.eye(3), {}, "one name or two to clouds"),
        ({"a": np.eye(3)}, {"filled": {"a": [True]}}, r"filled\['a'\] must be \[3\]"),
        ({"a": np.eye(3)}, {"filled": {"b": [1, 1, 1]}}, r"must have names of samples, \['a'\]"),
    ],
)
def test_violins_refuse_what_does_not_fit(samples: dict, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.violins(samples, alt="x.", **options)
