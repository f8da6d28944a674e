"""Figures of many dimensions show each dimension of each class in its place, and films play."""

from functools import cache

import numpy as np
import plotly.graph_objects as go
import pytest
from numpy.testing import assert_allclose

from vaebook import figures
from vaebook.figures import CATEGORICAL

RNG = np.random.default_rng(0)
kinds = np.repeat([0, 2, 9], 20)
POINTS = RNG.normal(size=(60, 4)) + kinds[:, None]
NAMES = [f"class {k}" for k in range(10)]


@cache
def drawn(name: str) -> figures.Figure:
    """Draw the three classes in one of the ways."""
    return getattr(figures, name)(POINTS, kinds, names=NAMES, alt="Three classes.")


def parts(trace: go.Scatter) -> list[np.ndarray]:
    """The lines of a trace, [P, 2] each."""
    points = np.stack([trace.x, trace.y], 1).astype(float)
    gaps = np.isnan(points[:, 0]).nonzero()[0]
    found = [part[~np.isnan(part[:, 0])] for part in np.split(points, gaps)]
    return [part for part in found if len(part)]


@pytest.mark.parametrize("name", ["class_violins", "pairs", "parallel"])
def test_a_class_has_its_colour_whichever_others_are_there(name: str) -> None:
    said = str(drawn(name).to_dict()["data"])
    shown = [CATEGORICAL[k] for k in (0, 2, 9)]
    assert all(colour in said for colour in shown)
    assert not any(colour in said for colour in set(CATEGORICAL) - set(shown))


def test_each_dimension_is_a_row_of_violins_in_one_scale() -> None:
    figure = drawn("class_violins")
    assert list(figure.layout.xaxis.ticktext) == ["class 0", "class 2", "class 9"]
    bases = np.array(figure.layout.yaxis.tickvals)
    outlines = [trace for trace in figure.data if trace.fill == "toself"]
    for place, (label, trace) in enumerate(zip((0, 2, 9), outlines, strict=True)):
        members = POINTS[kinds == label]
        for j, ring in enumerate(parts(trace)):
            found = [ring[:, 1].min() - bases[j], ring[:, 1].max() - bases[j]]
            assert_allclose(found, [members[:, j].min(), members[:, j].max()], atol=2e-3)
            assert_allclose([ring[:, 0].min(), ring[:, 0].max()], place + np.array([-0.44, 0.44]))
    # Rows don't meet, whatever the values.
    assert np.ptp(POINTS) < np.diff(-bases).min()


def test_dots_and_bars_of_violins_are_medians_and_quartiles() -> None:
    figure = drawn("class_violins")
    bases = np.array(figure.layout.yaxis.tickvals)
    bars, dots = figure.data[4], figure.data[5]
    members = POINTS[kinds == 2]
    assert_allclose(dots.y - bases, np.median(members, 0), atol=2e-3)
    ends = np.array([part[:, 1] for part in parts(bars)]) - bases[:, None]
    assert_allclose(ends.T, np.percentile(members, (25, 75), axis=0), atol=2e-3)


def test_each_two_dimensions_have_a_panel_with_both_titles() -> None:
    figure = drawn("pairs")
    assert len(figure.data) == 6 * 3
    seen = set()
    for trace in figure.data:
        members = POINTS[kinds == int(trace.name[-1])]
        (across,) = [j for j in range(4) if np.allclose(members[:, j], trace.x, atol=6e-3)]
        (up,) = [j for j in range(4) if np.allclose(members[:, j], trace.y, atol=6e-3)]
        seen.add((across, up))
    assert seen == {(a, b) for b in range(4) for a in range(b)}
    titles = [axis.title.text for axis in figure.select_xaxes() if axis.title.text]
    assert titles == ["z<sub>1</sub>", "z<sub>2</sub>", "z<sub>3</sub>"]
    assert sum(bool(trace.showlegend) for trace in figure.data) == 3


def test_each_point_is_a_line_and_each_class_has_its_mean() -> None:
    thin, thick = drawn("parallel").data[2:4]
    members = POINTS[kinds == 2]
    assert_allclose([line[:, 1] for line in parts(thin)], members, atol=1e-3)
    assert_allclose(thick.y, members.mean(0), atol=1e-3)
    assert thick.line.width > 2 * thin.line.width


@pytest.mark.parametrize(
    ("name", "points", "labels", "options", "message"),
    [
        ("pairs", np.eye(3)[:, :2], [0, 0, 1], {}, "3 to 6 dimensions, got 2"),
        ("pairs", np.ones((2, 7)), [0, 0], {}, "3 to 6 dimensions, got 7"),
        ("parallel", np.ones((2, 1)), [0, 0], {}, "2 dimensions or more, got 1"),
        ("class_violins", np.eye(3), [0, 0, 1], {}, "each class twice or more"),
        ("parallel", np.eye(3), [0, 0, 3], {"names": "ab"}, "got 2 for label 3"),
        ("pairs", np.eye(3), [0, 0, 1], {"columns": "ab"}, "columns must be 3, one per dimension"),
        ("parallel", np.eye(3), [0, 0], {}, r"labels must be \[3\], one per point"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    name: str, points: np.ndarray, labels: list, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(figures, name)(points, labels, alt="x.", **options)


def test_a_film_opens_on_its_last_frame_and_plays_from_its_first() -> None:
    shots = [go.Frame(data=[go.Scatter(y=[0, t])], name="x") for t in range(4)]
    still = go.Figure(shots[-1].data)
    film = figures.film(still, shots, [0, 10, 20, 30], label="step", alt="A rising line.")
    (dial,), (menu,) = film.layout.sliders, film.layout.updatemenus
    assert dial.active == 3
    assert list(film.data[0].y) == [0, 3] == list(film.frames[dial.active].data[0].y)
    names = [frame.name for frame in film.frames]
    assert [step.args[0][0] for step in dial.steps] == names
    assert [step.label for step in dial.steps] == ["0", "10", "20", "30"]
    assert list(menu.buttons[0].args[0]) == names
    assert not still.layout.sliders  # what was given stays as it is
    assert [shot.name for shot in shots] == 4 * ["x"]


@pytest.mark.parametrize("frames", [[go.Frame()], "ab", [1, 2], None])
def test_what_is_no_film_is_refused(frames: object) -> None:
    with pytest.raises(ValueError, match="two plotly frames or more"):
        figures.film(go.Figure(), frames, ["a"], label="t", alt="x.")


def test_a_film_has_one_value_per_frame() -> None:
    with pytest.raises(ValueError, match="values must be 2, one per frame, got 1"):
        figures.film(go.Figure(), [go.Frame(), go.Frame()], ["a"], label="t", alt="x.")
