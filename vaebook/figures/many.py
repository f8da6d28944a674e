"""Plotly figures of points with many dimensions, and films.

As in :mod:`vaebook.figures.plots`, a function draws what it is given, class k in
``CATEGORICAL[k]``.
"""

__all__ = ["class_violins", "film", "on_phone", "pairs", "parallel", "stacked"]

from collections.abc import Mapping, Sequence
from reprlib import repr as shorten
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.basedatatypes import BaseFigure
from plotly.subplots import make_subplots

from vaebook import _checks
from vaebook.figures.pictures import Array, Texts, read_classes, read_numbers, read_texts
from vaebook.figures.plots import STILL, dial, joined, name_of, violin
from vaebook.figures.renderer import CATEGORICAL, Figure, describe, faded

_BETWEEN = 0.15  # of panels below each other, over their width: a title, or words at an axis
_SIDE_BY_SIDE = 6  # dimensions of a pairs plot: more panels than 15 are too small on a phone


def class_violins(
    points: Array,
    labels: Array,
    *,
    alt: str,
    names: Texts | None = None,
    columns: Texts | None = None,
) -> Figure:
    """Draw each dimension as a row of violins, one per class, with median and quartiles.

    All violins are drawn to one scale along their values, and each to the same largest width.

    Args:
        points: [N, D].
        labels: class of each point [N], 0 or more; each class has two points or more.
        names: name of each class, indexed by label; the labels themselves where it is None.
        columns: name of each dimension [D]; z1 to zD where it is None.

    Raises:
        ValueError: for shapes that don't fit, a class of one point, or a label without a name.

    Example:
        >>> figure = class_violins([[0, 1], [1, 2], [5, 1], [6, 3]], [0, 0, 1, 1], alt="Four.")
        >>> list(figure.layout.xaxis.ticktext), list(figure.layout.yaxis.ticktext)
        (['0', '1'], ['z<sub>1</sub>', 'z<sub>2</sub>'])
    """
    cloud, groups, rows = _read(points, labels, names, columns)
    if min(len(group.members) for group in groups) < 2:
        raise ValueError("labels must have each class twice or more, got one of a single point")
    low, high = float(cloud.min()), float(cloud.max())
    pitch = 1.05 * (high - low or 1.0)
    bases = -pitch * np.arange(len(rows))
    figure = go.Figure()
    for place, (name, colour, found) in enumerate(groups):
        members = found.astype(float)
        rings = [
            np.add(violin(members[:, j], place, (-1, 1)), [0, y]) for j, y in enumerate(bases)
        ]
        shared = {"mode": "lines", "hoverinfo": "skip", "name": name}
        outline = {"color": colour, "width": 1}
        figure.add_trace(
            _line(rings, **shared, line=outline, fill="toself", fillcolor=faded(colour, 0.4))
        )
        quartiles = np.percentile(members, (25, 50, 75), axis=0)
        bars = [
            np.array([[place, base + a], [place, base + b]])
            for base, a, b in zip(bases, quartiles[0], quartiles[2], strict=True)
        ]
        figure.add_trace(_line(bars, **shared, line={"color": colour, "width": 3.5}))
        dot = {"color": "#ffffff", "size": 4, "line": {"color": colour, "width": 1.2}}
        middle = {"x": np.full(len(rows), place), "y": (bases + quartiles[1]).round(3)}
        figure.add_scatter(**middle, mode="markers", marker=dot, hoverinfo="skip")
    figure.update_xaxes(
        tickvals=list(range(len(groups))),
        ticktext=[group.name for group in groups],
        showgrid=False,
        range=[-0.6, len(groups) - 0.4],
    )
    edges = [float(bases[-1]) + low - 0.03 * pitch, high + 0.03 * pitch]
    figure.update_yaxes(tickvals=bases.round(4).tolist(), ticktext=rows, range=edges)
    figure.update_layout(showlegend=False)
    aspect = min(max(0.11 * len(rows), 0.3), 1.4)
    return describe(figure, alt, aspect=aspect)


def pairs(
    points: Array,
    labels: Array,
    *,
    alt: str,
    names: Texts | None = None,
    columns: Texts | None = None,
) -> Figure:
    """Draw a panel for each pair of dimensions, with the cloud of classes in it.

    Args:
        points: [N, D] with D from 3 to 6; some hundreds of points will do.
        labels: class of each point [N], 0 or more; a click in the legend hides a class.
        names: name of each class, indexed by label; the labels themselves where it is None.
        columns: name of each dimension [D]; z1 to zD where it is None.

    Raises:
        ValueError: for shapes that don't fit, or a label without a name.

    Example:
        >>> figure = pairs(np.eye(3), [0, 1, 1], alt="Three points in three panels.")
        >>> len(figure.data), figure.layout.xaxis2.title.text
        (6, 'z<sub>1</sub>')
    """
    cloud, groups, axes = _read(points, labels, names, columns)
    if not 3 <= len(axes) <= _SIDE_BY_SIDE:
        raise ValueError(f"points must have 3 to {_SIDE_BY_SIDE} dimensions, got {len(axes)}")
    n = len(axes) - 1
    specs: list[list[dict[str, Any] | None]] = [
        [{} if column <= row else None for column in range(n)] for row in range(n)
    ]
    gaps = {"horizontal_spacing": 0.02, "vertical_spacing": 0.02}
    figure = make_subplots(n, n, specs=specs, shared_xaxes=True, shared_yaxes=True, **gaps)
    size = 3.5 if len(cloud) < 1000 else 2.5
    for row in range(n):
        for column in range(row + 1):
            for name, colour, members in groups:
                figure.add_scatter(
                    x=members[:, column].round(2),
                    y=members[:, row + 1].round(2),
                    mode="markers",
                    marker={"size": size, "color": colour, "opacity": 0.7},
                    name=name,
                    legendgroup=name,
                    showlegend=row == column == 0,
                    hoverinfo="skip",
                    row=row + 1,
                    col=column + 1,
                )
    figure.update_xaxes(showticklabels=False, ticks="")
    figure.update_yaxes(showticklabels=False, ticks="")
    for k in range(n):
        figure.update_xaxes(title_text=axes[k], row=n, col=k + 1)
        figure.update_yaxes(title_text=axes[k + 1], row=k + 1, col=1)
    corner = {"x": 1, "xanchor": "right", "y": 1, "yanchor": "top", "itemsizing": "constant"}
    figure.update_layout(legend=corner | {"orientation": "v", "tracegroupgap": 0})
    return describe(figure, alt, aspect=1.0, max_width=640)


def parallel(
    points: Array,
    labels: Array,
    *,
    alt: str,
    names: Texts | None = None,
    columns: Texts | None = None,
) -> Figure:
    """Draw each point as a line across all dimensions, and each class's mean as a thick one.

    Args:
        points: [N, D] with two dimensions or more; some hundreds of points are a thicket.
        labels: class of each point [N], 0 or more; a click in the legend hides a class.
        names: name of each class, indexed by label; the labels themselves where it is None.
        columns: name of each dimension [D]; z1 to zD where it is None.

    Raises:
        ValueError: for shapes that don't fit, or a label without a name.

    Example:
        >>> figure = parallel([[0, 1, 2], [2, 1, 0]], [0, 0], alt="Two lines that cross.")
        >>> figure.data[1].y.tolist()  # their mean
        [1.0, 1.0, 1.0]
    """
    _, groups, axes = _read(points, labels, names, columns)
    if len(axes) < 2:
        raise ValueError("points must have 2 dimensions or more, got 1")
    across = np.arange(len(axes), dtype=float)
    figure = go.Figure()
    for name, colour, members in groups:
        shared = {"mode": "lines", "name": name, "legendgroup": name, "hoverinfo": "skip"}
        thin = [np.stack([across, point], 1) for point in members]
        line = {"color": faded(colour, 0.35), "width": 1}
        figure.add_trace(_line(thin, **shared, line=line, showlegend=False))
        mean = members.mean(0).round(3)
        figure.add_scatter(x=across, y=mean, **shared, line={"color": colour, "width": 3})
    figure.update_xaxes(tickvals=across.tolist(), ticktext=axes)
    return describe(figure, alt, aspect=0.6)


def film(
    figure: go.Figure,
    frames: Sequence[go.Frame],
    values: Texts,
    *,
    label: str,
    alt: str,
    aspect: float = 0.6,
    max_width: int | None = None,
) -> Figure:
    """Turn a figure that shows its last frame into a film, with a slider and a button that plays.

    Args:
        figure: any plotly figure; it stays as it is.
        frames: what changes, T frames, the last of which the figure shows; they get new names.
        values: word or number of each frame [T].
        label: name of what the slider sets.
        alt: what is to be seen, for readers who cannot see it.
        aspect: height of the plotting area over its width.
        max_width: in CSS pixels; the width of the text where it is None.

    Raises:
        ValueError: for fewer frames than two, other values than one per frame, or what
            :func:`describe` refuses.

    Example:
        >>> shots = [go.Frame(data=[go.Scatter(y=[0, k])]) for k in range(3)]
        >>> rising = film(go.Figure(shots[-1].data), shots, "abc", label="shot", alt="A line.")
        >>> rising.layout.sliders[0].active, rising.layout.updatemenus[0].buttons[0].label
        (2, 'Play')
    """
    shots = list(frames) if isinstance(frames, Sequence) else []
    if len(shots) < 2 or not all(isinstance(shot, go.Frame) for shot in shots):
        raise ValueError("frames must be two plotly frames or more")
    steps = read_texts(values, "values", len(shots), "frame")
    numbers = [str(t) for t in range(len(shots))]
    playing = STILL | {"frame": {"duration": max(60, 6000 // len(shots))}}
    described = describe(figure, alt, aspect=aspect, max_width=max_width)
    # The legend stands above the figure, in two rows on a phone, and the button above the legend.
    above = 6 if figure.layout.showlegend is False else 62
    lacking = max(0, 36 + above - described.layout.margin.t)
    described.layout.margin.t += lacking
    described.layout.height += lacking
    described.frames = [
        go.Frame(shot, name=number) for shot, number in zip(shots, numbers, strict=True)
    ]
    play = {"label": "Play", "method": "animate", "args": [numbers, playing]}
    described.update_layout(
        sliders=[dial(steps, label, len(shots) - 1)],
        updatemenus=[
            {
                "type": "buttons",
                "buttons": [play],
                "x": 0,
                "xanchor": "left",
                "y": 1,
                "yanchor": "bottom",
                "pad": {"b": above},
            }
        ],
    )
    return described


def on_phone(
    figure: go.Figure,
    domains: Mapping[str, Sequence[float]],
    *,
    aspect: float,
    titles: Mapping[int, Sequence[float]] | None = None,
) -> Figure:
    """Let panels have other places where the page is narrow.

    Args:
        figure: any plotly figure, which stays as it is.
        domains: where each axis begins and ends, by its name, in shares of the figure.
        aspect: height of the plotting area over its width.
        titles: places [x, y] of annotations, by their number, in shares of the figure.

    Raises:
        ValueError: for an axis or an annotation that the figure does not have, or a place
            outside it.

    Example:
        >>> figure = describe(make_subplots(1, 2), alt="Two panels.")
        >>> below = {"xaxis": [0, 1], "xaxis2": [0, 1], "yaxis": [0.6, 1], "yaxis2": [0, 0.4]}
        >>> on_phone(figure, below, aspect=1.6).layout.meta["narrow"]["aspect"]
        1.6
    """
    if not isinstance(figure, BaseFigure):
        raise ValueError(f"figure must be a plotly figure, got {type(figure).__name__}")
    _checks.number(aspect, "aspect", 0, open=True)
    axes = [axis.plotly_name for axis in (*figure.select_xaxes(), *figure.select_yaxes())]
    places = {} if titles is None else titles
    for name, given, known in (
        ("domains", domains, axes),
        ("titles", places, range(len(figure.layout.annotations))),
    ):
        if not isinstance(given, Mapping) or not set(given) <= set(known):
            raise ValueError(f"{name} must be of {list(known)}, got {shorten(given)}")
        for pair in given.values():
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise ValueError(f"{name} must have two numbers each, got {shorten(pair)}")
            for share in pair:
                _checks.number(share, f"each entry of {name}", 0, 1)
    meta = figure.layout.meta if isinstance(figure.layout.meta, dict) else {}
    narrow = {
        "aspect": aspect,
        "parts": {name: {"domain": list(pair)} for name, pair in domains.items()},
        "notes": {str(k): {"x": x, "y": y} for k, (x, y) in places.items()},
    }
    return Figure(figure).update_layout(meta=meta | {"narrow": narrow})


def stacked(figure: go.Figure, *, aspect: float = 0.8) -> Figure:
    """Let panels that stand side by side be one below the other where the page is narrow.

    Args:
        figure: of one row of panels, as from ``plotly.subplots.make_subplots``; it stays as it
            is.
        aspect: height of one panel over its width, where the page is narrow.

    Raises:
        ValueError: for what is no figure of one row of two panels or more.

    Example:
        >>> figure = describe(make_subplots(1, 2), alt="Two panels.")
        >>> stacked(figure, aspect=1.0).layout.meta["narrow"]["parts"]["yaxis2"]["domain"]
        [0.0, 0.465]
    """
    if not isinstance(figure, BaseFigure):
        raise ValueError(f"figure must be a plotly figure, got {type(figure).__name__}")
    _checks.number(aspect, "aspect", 0, open=True)
    across = sorted(figure.select_xaxes(), key=lambda axis: axis.domain or (0.0, 1.0))
    starts = [axis.domain[0] for axis in across if axis.domain]
    uprights = {axis.plotly_name: axis for axis in figure.select_yaxes()}
    whole = all((axis.domain or (0.0, 1.0)) == (0.0, 1.0) for axis in uprights.values())
    if len(starts) < 2 or len(set(starts)) < len(across) or not whole:
        raise ValueError("figure must have two panels or more, all in one row")
    n = len(across)
    tall = n * aspect + (n - 1) * _BETWEEN  # over the width of a panel
    domains, tops = {}, []
    for k, axis in enumerate(across):
        top = 1 - k * (aspect + _BETWEEN) / tall
        tops.append(top)
        upright = "yaxis" + (axis.anchor or "y").removeprefix("y")
        domains[axis.plotly_name] = [0.0, 1.0]
        low = max(0.0, round(top - aspect / tall, 3))
        domains[upright] = [low, round(top, 3)]
    titles = {}
    for k, note in enumerate(figure.layout.annotations):
        if note.xref == note.yref == "paper":
            row = sum(start <= note.x for start in starts) - 1
            titles[k] = [0.5, round(tops[max(row, 0)], 3)]
    return on_phone(figure, domains, aspect=round(tall, 3), titles=titles)


class _Group(NamedTuple):
    """The points [M, D] of a class."""

    name: str
    colour: str
    members: NDArray[np.float32]


def _read(
    points: Array, labels: Array, names: Texts | None, columns: Texts | None
) -> tuple[NDArray[np.float32], list[_Group], list[str]]:
    """The points, together and class by class, and the name of each dimension."""
    cloud = read_numbers(points, "points", "[N, D]")
    classes = read_classes(labels, "labels", len(cloud))
    known = None if names is None else read_texts(names, "names")
    groups = [
        _Group(name_of(known, int(k)), CATEGORICAL[k % len(CATEGORICAL)], cloud[classes == k])
        for k in np.unique(classes)
    ]
    if columns is None:
        columns = [f"z<sub>{j + 1}</sub>" for j in range(cloud.shape[1])]
    return cloud, groups, read_texts(columns, "columns", cloud.shape[1], "dimension")


def _line(lines: Sequence[NDArray[Any]], **style: Any) -> go.Scatter:
    """Lines of places and values as one trace."""
    across, up = joined(lines).round(3).T
    return go.Scatter(x=across, y=up, **style)
