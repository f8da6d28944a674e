"""Plotly figures from arrays and tensors, in one dress.

Nothing of the science is computed here: a function draws what it is given. Every figure takes
``alt``, one or two sentences that say what is to be seen; the page reads them to those who
cannot see it. Titles take plotly's HTML (``z<sub>1</sub>``), not LaTeX.
"""

__all__ = [
    "curves",
    "film_strip",
    "heatmap",
    "image_grid",
    "manifold",
    "scatter",
    "slider",
    "violins",
]

from collections.abc import Mapping, Sequence
from itertools import combinations
from reprlib import repr as shorten
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from vaebook._checks import count
from vaebook.figures.pictures import (
    Array,
    Texts,
    album,
    bare_axes,
    folded,
    mosaic,
    picture,
    read_axis,
    read_classes,
    read_images,
    read_numbers,
    read_per_point,
    read_texts,
    round_ticks,
)
from vaebook.figures.renderer import (
    CATEGORICAL,
    COLOUR_BAR,
    SEQUENTIAL,
    Figure,
    describe,
    faded,
)

_MANY = 4000  # from here on a cloud of points is drawn by WebGL
_TURNS = 4  # in which the classes of such a cloud are drawn
# The first for eight classes, whose colours are enough; another where colours are many, and for
# each ten classes, whose colours repeat. Plotly draws these in space as well.
_SYMBOLS = ("circle", "diamond", "cross", "square", "x")
_ENOUGH = 8
_NAMED_OVER = 300  # of a cloud's CSS pixels on a phone, on which names must not meet
# How a film shows a frame at once.
STILL = {"mode": "immediate", "frame": {"duration": 0}, "transition": {"duration": 0}}
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def scatter(
    points: Array,
    labels: Array | None = None,
    *,
    alt: str,
    names: Texts | None = None,
    colour: Array | None = None,
    colour_title: str = "",
    images: Array | None = None,
    hover: Texts | None = None,
    x_title: str = "z<sub>1</sub>",
    y_title: str = "z<sub>2</sub>",
    z_title: str = "z<sub>3</sub>",
    title: str = "",
) -> Figure:
    """Draw a cloud of points in the plane or in space, coloured by class or by a quantity.

    With images, the page shows the image of the point under the pointer, or of the point chosen
    by a slider below the figure; where the page's script does not run, only hover texts remain.

    Args:
        points: [N, 2] or [N, 3].
        labels: class of each point [N], 0 or more. Class k has ``CATEGORICAL[k]`` in every
            figure, and from the ninth on another shape, since so many colours are not enough
            for everyone; a click in the legend hides a class.
        names: name of each class, indexed by label; the labels themselves where there are none.
        colour: quantity of each point [N], instead of labels.
        images: image of each point [N, C, H, W], kept as JPEG; some hundreds will do.
        hover: text of each point, instead of its coordinates.

    Raises:
        ValueError: for shapes that don't fit, labels without a name, and where labels and colour
            are both given.

    Example:
        >>> figure = scatter([[0, 1], [1, 0]], [0, 2], alt="Two points.")
        >>> [trace.name for trace in figure.data]
        ['0', '2']
    """
    cloud = read_numbers(points, "points", "[N, D]")
    if cloud.shape[1] not in (2, 3):
        raise ValueError(f"points must be [N, 2] or [N, 3], got {list(cloud.shape)}")
    if labels is not None and colour is not None:
        raise ValueError("points are coloured by labels or by colour, got both")
    if names is not None:
        names = read_texts(names, "names") or None  # an image set without names has none
    if names is not None and labels is None:
        raise ValueError("names are those of labels, got no labels")
    pictures = None if images is None else read_images(images)
    if pictures is not None and len(pictures) != len(cloud):
        raise ValueError(f"images must be {len(cloud)}, one per point, got {len(pictures)}")
    texts = None if hover is None else read_texts(hover, "hover", len(cloud), "point")
    everyone = np.arange(len(cloud))
    look = {"size": _dot_size(cloud), "opacity": 0.85}

    figure = go.Figure()
    if labels is not None:
        classes = read_classes(labels, "labels", len(cloud))
        looks: dict[int, tuple[dict[str, Any], str]] = {}
        for label in np.unique(classes):
            turn, colour_of = divmod(int(label), len(CATEGORICAL))
            marker = {
                **look,
                "color": CATEGORICAL[colour_of],
                "symbol": _SYMBOLS[(turn + (colour_of >= _ENOUGH)) % len(_SYMBOLS)],
            }
            looks[int(label)] = marker, name_of(names, int(label))
        # Of many points in the plane those of the last class would hide all others: they are
        # drawn in turns.
        turns = _TURNS if cloud.shape[1] == 2 and len(cloud) > _MANY else 1
        for first in range(turns):
            for label, (marker, name) in looks.items():
                members = everyone[classes == label][first::turns]
                if len(members):
                    trace = _cloud(cloud, members, marker, name, texts, pictures is not None)
                    figure.add_trace(trace.update(showlegend=False) if first else trace)
        if cloud.shape[1] == 2:
            _name_clouds(figure, [name for _, name in looks.values()], cloud, classes)
    else:
        marker = {**look, "color": CATEGORICAL[0]}
        if colour is not None:
            values = read_per_point(colour, "colour", len(cloud))
            bar = {**COLOUR_BAR, "title": {"text": colour_title, "side": "right"}}
            marker |= {"color": values, "colorscale": SEQUENTIAL, "colorbar": bar}
        figure.add_trace(_cloud(cloud, everyone, marker, "", texts, pictures is not None))
        figure.update_layout(showlegend=False)

    _entitle(figure, title)
    if cloud.shape[1] == 3:
        axes = {"xaxis": x_title, "yaxis": y_title, "zaxis": z_title}
        figure.update_layout(
            scene={axis: {"title": {"text": text}} for axis, text in axes.items()},
            # Far enough for the titles of the axes, which lie below the box.
            scene_camera={"eye": {"x": 1.3, "y": 1.3, "z": 1.0}, "center": {"z": -0.15}},
            margin={"l": 0, "r": 0, "b": 0},
            dragmode="turntable",
        )
    else:
        figure.update_xaxes(title_text=x_title)
        figure.update_yaxes(title_text=y_title, scaleanchor="x")
    described = describe(figure, alt, aspect=0.8)
    if pictures is not None:
        described.layout.meta = {**described.layout.meta, "album": album(pictures)}
    return described


def image_grid(
    images: Array,
    *,
    alt: str,
    columns: int | None = None,
    row_labels: Texts | None = None,
    column_labels: Texts | None = None,
    hover: Texts | None = None,
    fold: int | None = None,
    title: str = "",
) -> Figure:
    """Draw images in rows and columns as one picture, grey or in colour, with black at 0.

    Args:
        images: [R, K, C, H, W], R rows of K images; or [N, C, H, W] together with columns, set
            row by row.
        columns: images in a row, for images [N, C, H, W].
        row_labels: one per row, on the left.
        column_labels: one per column, on top.
        hover: a text per image, row by row.
        fold: number of a column, from 0; where the page is narrow it is left out, those after it
            stand below those before it, and there are no row labels.

    Raises:
        ValueError: for another shape, values outside [0, 1], or labels that do not fit.

    Example:
        >>> figure = image_grid(np.zeros((5, 3, 8, 8)), columns=3, alt="Five black squares.")
        >>> figure.layout.meta["aspect"]  # two rows, with a gap of one pixel between images
        0.6538461538461539
    """
    if columns is None:
        cells = read_images(images, shape="[R, K, C, H, W] where columns is None")
        n = cells.shape[0] * cells.shape[1]
    else:
        count(columns, "columns")
        cells = read_images(images)
        n = len(cells)
        blank = np.full((-n % columns, *cells.shape[1:]), np.nan, np.float32)
        cells = np.concatenate([cells, blank]).reshape(-1, columns, *cells.shape[1:])
    texts = None if hover is None else read_texts(hover, "hover", n, "image")
    if fold is not None:
        count(fold, "fold")
        if fold >= cells.shape[1] - 1 or row_labels is not None:
            raise ValueError(
                f"fold must be less than {cells.shape[1] - 1}, the last column, and there must "
                f"be no row_labels, got {fold}"
            )
    figure = mosaic(cells, alt, row_labels, column_labels, texts, title)
    return figure if fold is None else folded(figure, fold, cells.shape[1])


def film_strip(images: Array, *, alt: str, labels: Texts | None = None, title: str = "") -> Figure:
    """Draw images [T, C, H, W] side by side, with a label above each where labels are given.

    Example:
        >>> figure = film_strip(np.zeros((3, 1, 8, 8)), labels=[1, 2, 3], alt="Black squares.")
        >>> figure.layout.xaxis.ticktext
        ('1', '2', '3')
    """
    frames = read_images(images)
    texts = None if labels is None else read_texts(labels, "labels", len(frames), "image")
    return mosaic(frames[None], alt, None, texts, None, title)


def manifold(
    images: Array,
    z1: Array,
    z2: Array,
    *,
    alt: str,
    x_title: str = "z<sub>1</sub>",
    y_title: str = "z<sub>2</sub>",
    title: str = "",
) -> Figure:
    """Draw the images decoded on a grid of codes where their codes lie.

    Args:
        images: [n, m, C, H, W]; ``images[i, j]`` is decoded from ``(z1[j], z2[i])``.
        z1: horizontal coordinates [m].
        z2: vertical coordinates [n], the first one at the bottom.

    Raises:
        ValueError: for coordinates that do not fit the images, or that turn back.

    Example:
        >>> figure = manifold(np.zeros((2, 3, 1, 8, 8)), [-1, 0, 1], [-1, 1], alt="Squares.")
        >>> list(figure.data[1].text)[:2]  # the upper row is the last one
        ['(-1.00, 1.00)', '(0.00, 1.00)']
    """
    cells = read_images(images, shape="[len(z2), len(z1), C, H, W]")
    across, up = read_axis(z1, "z1"), read_axis(z2, "z2")
    if cells.shape[:2] != (len(up), len(across)):
        raise ValueError(
            f"images must be [len(z2), len(z1), C, H, W] = [{len(up)}, {len(across)}, C, H, W], "
            f"got {list(cells.shape)}"
        )
    hover = [f"({x:.2f}, {y:.2f})" for y in up[::-1] for x in across]
    figure = mosaic(cells[::-1], alt, None, None, hover, title, gap=0, cell=36)
    height, width = cells.shape[-2:]
    figure.update_xaxes(**round_ticks(across, width), title_text=x_title, showticklabels=True)
    figure.update_yaxes(**round_ticks(up[::-1], height), title_text=y_title, showticklabels=True)
    figure.update_layout(margin={"l": 52, "b": 48})
    meta = figure.layout.meta
    return describe(figure, alt, aspect=meta["aspect"], max_width=meta["max_width"] + 56)


def curves(
    series: Mapping[str, Sequence[Array]],
    *,
    alt: str,
    x_title: str = "",
    y_title: str = "",
    log_x: bool = False,
    log_y: bool = False,
    markers: bool = False,
    title: str = "",
) -> Figure:
    """Draw lines, each with a band around it where one is given.

    Args:
        series: by name, (x, y) or (x, y, low, high), all [T].
        log_x: whether the horizontal axis is logarithmic.
        log_y: whether the vertical one is.
        markers: a dot at each point.

    Raises:
        ValueError: for no series, or arrays of different lengths.

    Example:
        >>> figure = curves({"rate": ([0, 1, 2], [9, 4, 1])}, alt="A line that falls.")
        >>> figure.data[0].name
        'rate'
    """
    if not isinstance(series, Mapping) or not series:
        raise ValueError(f"series must map at least one name to its line, got {shorten(series)}")
    figure = go.Figure()
    for rank, (name, arrays) in enumerate(series.items()):
        if not isinstance(arrays, Sequence) or len(arrays) not in (2, 4):
            raise ValueError(f"series[{name!r}] must be (x, y) or (x, y, low, high)")
        x, y, *band = (read_numbers(a, f"series[{name!r}]", "[T]", finite=False) for a in arrays)
        if any(len(a) != len(x) for a in (y, *band)):
            lengths = [len(a) for a in (x, y, *band)]
            raise ValueError(f"series[{name!r}] must be of one length, got {lengths}")
        turn, colour_of = divmod(rank, len(CATEGORICAL))
        colour, dash = CATEGORICAL[colour_of], _DASHES[(rank + turn) % len(_DASHES)]
        if band:
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([band[1], band[0][::-1]]),
                mode="lines",  # plotly would mark the corners of a short band
                fill="toself",
                fillcolor=faded(colour, 0.2),
                line_width=0,
                legendgroup=name,
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=x,
            y=y,
            name=name,
            legendgroup=name,
            mode="lines+markers" if markers else "lines",
            line={"color": colour, "width": 2.2, "dash": dash},
        )
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(title_text=y_title)
    if log_x:
        figure.update_xaxes(**_logarithmic([arrays[0] for arrays in series.values()]))
    if log_y:
        figure.update_yaxes(**_logarithmic([arrays[1] for arrays in series.values()]))
    figure.update_layout(showlegend=len(series) > 1, legend_itemwidth=40)
    _entitle(figure, title)
    return describe(figure, alt, aspect=0.55)


def slider(
    images: Array,
    values: Texts,
    *,
    label: str,
    alt: str,
    active: int = 0,
    title: str = "",
) -> Figure:
    """Draw one of the images [T, C, H, W] at a time, chosen by a slider over values [T].

    Args:
        label: name of the quantity that the slider sets.
        active: number of the image that is shown first, from 0.

    Raises:
        ValueError: where images and values differ in number, or no image has the number active.

    Example:
        >>> figure = slider(np.zeros((2, 1, 8, 8)), [0.0, 0.5], label="t", alt="Squares.")
        >>> [step.label for step in figure.layout.sliders[0].steps]
        ['0', '0.5']
    """
    frames = read_images(images)
    steps = read_texts(values, "values", len(frames), "image")
    count(active, "active", 0)
    if active >= len(frames):
        raise ValueError(f"active must be less than {len(frames)}, the images, got {active}")
    height, width = frames.shape[-2:]
    pictures = [picture(frame[None, None], 0) for frame in frames]
    figure = go.Figure(
        data=[pictures[active]],
        frames=[go.Frame(data=[p], name=str(t)) for t, p in enumerate(pictures)],
    )
    bare_axes(figure, height, width)
    figure.update_layout(
        title_text=title,
        margin={"l": 8, "r": 8, "t": 8, "b": 84},
        sliders=[dial(steps, label, active) | {"pad": {"t": 12}, "transition": {"duration": 0}}],
    )
    return describe(
        figure, alt, aspect=height / width, max_width=min(640, max(320, 240 * width // height))
    )


def heatmap(
    values: Array,
    x: Array | None = None,
    y: Array | None = None,
    *,
    alt: str,
    contour: bool = False,
    equal: bool = True,
    colour_title: str = "",
    x_title: str = "z<sub>1</sub>",
    y_title: str = "z<sub>2</sub>",
    title: str = "",
) -> Figure:
    """Draw a function on a grid as colours, with its contour lines where they are asked for.

    Args:
        values: [H, W]; ``values[i, j]`` belongs to ``(x[j], y[i])``.
        x: [W], the columns' numbers where it is None.
        y: [H], upwards, the rows' numbers where it is None.
        contour: contour lines over the colours.
        equal: one unit is as long upwards as across.

    Raises:
        ValueError: for coordinates that do not fit the values, or that turn back.

    Example:
        >>> figure = heatmap(np.eye(3), [0, 1, 2], [0, 2, 4], alt="A bright diagonal.")
        >>> figure.data[0].type
        'heatmap'
    """
    field = read_numbers(values, "values", "[H, W]", finite=False)
    across = np.arange(field.shape[1]) if x is None else read_axis(x, "x")
    up = np.arange(field.shape[0]) if y is None else read_axis(y, "y")
    if field.shape != (len(up), len(across)) or min(field.shape) < 2:
        raise ValueError(
            f"values must be at least [2, 2], and [len(y), len(x)] = [{len(up)}, {len(across)}], "
            f"got {list(field.shape)}"
        )
    bar = {"title": {"text": colour_title, "side": "right"}}
    figure = go.Figure(go.Heatmap(z=field, x=across, y=up, colorbar=bar))
    if contour:
        figure.add_contour(
            z=field,
            x=across,
            y=up,
            contours_coloring="none",
            line={"color": "rgba(255, 255, 255, 0.6)", "width": 1},
            showscale=False,
            hoverinfo="skip",
        )
    aspect = 0.6
    if equal:
        figure.update_yaxes(scaleanchor="x", constrain="domain")
        aspect = min(max(float(np.ptp(up)) / float(np.ptp(across)), 0.2), 0.85)
    figure.update_xaxes(title_text=x_title, showgrid=False, constrain="domain")
    figure.update_yaxes(title_text=y_title, showgrid=False)
    figure.update_layout(title_text=title)
    return describe(figure, alt, aspect=aspect)


def violins(
    samples: Mapping[str, Array],
    *,
    alt: str,
    names: Sequence[str] | None = None,
    filled: Mapping[str, Array] | None = None,
    polar: bool = False,
    y_title: str = "",
    title: str = "",
) -> Figure:
    """Draw the distribution of each column as a violin with a box plot inside.

    A violin reaches from the smallest to the largest value; its width is a kernel density with
    Scott's bandwidth, scaled to the same largest width in every violin. The thick line runs from
    quartile to quartile, the thin one from the 5th to the 95th percentile, the dot is the median.

    Args:
        samples: by name, [N, D], one cloud or two; of two the first is on the left (in a polar
            figure, on the side of the smaller angle), the second on the right.
        names: name of each column [D]; z1 to zD where it is None.
        filled: by name, [D] truth values; a violin that is not filled is an outline only.
        polar: columns around a circle, values along the radius.

    Raises:
        ValueError: for no cloud or more than two, different numbers of columns, or names and
            marks that do not fit.

    Example:
        >>> cloud = np.random.default_rng(0).normal(size=(100, 2))
        >>> figure = violins({"codes": cloud}, alt="Two bells.")
        >>> figure.layout.xaxis.ticktext
        ('z<sub>1</sub>', 'z<sub>2</sub>')
    """
    if not isinstance(samples, Mapping) or not 1 <= len(samples) <= 2:
        raise ValueError(f"samples must map one name or two to clouds, got {shorten(samples)}")
    clouds = {n: read_numbers(a, f"samples[{n!r}]", "[N, D]") for n, a in samples.items()}
    width = next(iter(clouds.values())).shape[1]
    if any(cloud.shape[1] != width or len(cloud) < 2 for cloud in clouds.values()):
        shapes = [list(cloud.shape) for cloud in clouds.values()]
        raise ValueError(f"samples must be [N, D] of one D with N >= 2, got {shapes}")
    if names is None:
        names = [f"z<sub>{j + 1}</sub>" for j in range(width)]
    labels = read_texts(names, "names", width, "column")

    if filled is not None and not (isinstance(filled, Mapping) and filled.keys() <= clouds.keys()):
        raise ValueError(
            f"filled must have names of samples, {list(clouds)}, got {shorten(filled)}"
        )

    unit = 360 / width if polar else 1.0
    figure = go.Figure()
    for rank, (name, cloud) in enumerate(clouds.items()):
        solid = np.ones(width, bool)
        if filled is not None and name in filled:
            solid = read_per_point(filled[name], f"filled[{name!r}]", width).astype(bool)
        sides = (-1, 1) if len(clouds) == 1 else (2 * rank - 1,)
        colour = CATEGORICAL[rank]
        shared: dict[str, Any] = {"legendgroup": name, "hoverinfo": "skip", "showlegend": False}
        for shade, chosen in ((0.45, solid), (0.0, ~solid)):
            if not chosen.any():
                continue
            rings = [violin(cloud[:, j], int(j), sides) for j in chosen.nonzero()[0]]
            style = shared | {
                "mode": "lines",
                "line": {"color": colour, "width": 1.2},
                "fill": "toself",
                "fillcolor": faded(colour, shade),
                "name": name,
                "showlegend": len(clouds) > 1 and (shade > 0 or not solid.any()),
            }
            figure.add_trace(_line(joined(rings), unit, polar, style))
        at = np.arange(width) + (0.0 if len(clouds) == 1 else 0.06 * sides[0])
        marks = np.percentile(cloud, (5, 25, 50, 75, 95), axis=0)
        for low, high, thick in ((0, 4, 1.2), (1, 3, 4.5)):
            bars = [
                np.array([[x, a], [x, b]])
                for x, a, b in zip(at, marks[low], marks[high], strict=True)
            ]
            style = shared | {"mode": "lines", "line": {"color": colour, "width": thick}}
            figure.add_trace(_line(joined(bars), unit, polar, style))
        dot = {"color": "#ffffff", "size": 5, "line": {"color": colour, "width": 1.5}}
        medians = np.stack([at, marks[2]], 1)
        style = shared | {"mode": "markers", "marker": dot}
        figure.add_trace(_line(medians, unit, polar, style))

    _entitle(figure, title)
    if not polar:
        figure.update_xaxes(
            tickvals=list(range(width)),
            ticktext=labels,
            showgrid=False,
            range=[-0.6, width - 0.4],
        )
        figure.update_yaxes(title_text=y_title)
        return describe(figure, alt, aspect=0.5)
    values = np.concatenate([cloud.ravel() for cloud in clouds.values()])
    least, most = float(values.min()), float(values.max())
    wide = most - least or 1.0
    turns = [unit * j for j in range(width)]
    wide_of = np.sum(
        [np.ptp(np.percentile(c, (5, 95), axis=0), axis=0) for c in clouds.values()], 0
    )
    between = 90 - unit * (float(wide_of.argmin()) - 0.5)
    figure.update_polars(
        # A hole in the middle, or the violins of all columns would meet there; the numbers of
        # the radius stand where there is room, before the narrowest violin.
        radialaxis={
            "range": [least - 0.35 * wide, most],
            "tickvals": _few_ticks(least, most),
            "angle": between,
            "tickangle": between,
            "tickfont": {"size": 10},
        },
        angularaxis={"tickvals": turns, "ticktext": labels, "direction": "clockwise"},
    )
    # The name of the first spoke stands where a legend would.
    figure.update_layout(margin={"t": 36, "b": 36, "l": 36, "r": 36}, legend_y=1.12)
    return describe(figure, alt, aspect=1.0, max_width=560)


def _entitle(figure: go.Figure, title: str) -> None:
    """A title above the figure; above its legend where there is one, so that they don't meet."""
    if title and figure.layout.showlegend is not False:
        figure.update_layout(legend_title={"text": f"{title}<br>", "side": "top"})
    else:
        figure.update_layout(title_text=title)


def _logarithmic(arrays: Sequence[Array]) -> dict[str, Any]:
    """A logarithmic axis; over two decades or more it names powers of ten only."""
    values = np.concatenate([read_numbers(a, "series", "[T]", finite=False) for a in arrays])
    values = values[np.isfinite(values) & (values > 0)]
    wide = len(values) > 0 and values.max() >= 100 * values.min()
    return {"type": "log", "dtick": 1} if wide else {"type": "log"}


def _name_clouds(
    figure: go.Figure, names: list[str], cloud: NDArray[np.float32], classes: NDArray[np.int64]
) -> None:
    """Each class's name above the point nearest to their median: colour does not tell ten apart.

    Names that would lie on each other are moved apart.
    """
    places = []
    for label in np.unique(classes):
        points = cloud[classes == label]
        away = np.square(points - np.median(points, axis=0)).sum(1)
        places.append(points[away.argmin()])
    unit = float(np.ptp(cloud, axis=0).max()) / _NAMED_OVER or 1.0
    sizes = unit * np.array([[8.0 * len(name) + 4, 16.0] for name in names])
    for name, (x, y) in zip(names, _apart(np.array(places, float), sizes), strict=True):
        # The page's script hides the annotation together with the class of this name.
        place = {"x": float(x), "y": float(y), "yanchor": "bottom", "showarrow": False}
        figure.add_annotation(text=name, name=name, **place)


def _apart(places: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centres of boxes [N, 2], moved until no two boxes of these sizes lie on each other."""
    places = places.copy()
    for _ in range(50):
        met = False
        for i, j in combinations(range(len(places)), 2):
            gap = places[j] - places[i]
            over = (sizes[i] + sizes[j]) / 2 - np.abs(gap)
            if (over > 0).all():
                met = True
                axis = over.argmin()
                step = 0.51 * over[axis] * (1.0 if gap[axis] >= 0 else -1.0)
                places[i, axis] -= step
                places[j, axis] += step
        if not met:
            break
    return places


def dial(steps: Sequence[str], label: str, active: int) -> dict[str, Any]:
    """A slider over frames that are named by their numbers, with a word for each."""
    return {
        "active": active,
        "currentvalue": {"prefix": f"{label} = "},
        "steps": [
            {"label": step, "method": "animate", "args": [[str(t)], STILL]}
            for t, step in enumerate(steps)
        ],
    }


def name_of(names: list[str] | None, label: int) -> str:
    """The name of a class, its number where there are no names."""
    if names is None:
        return str(label)
    if label >= len(names):
        raise ValueError(f"names must cover every label, got {len(names)} for label {label}")
    return names[label]


def _dot_size(cloud: NDArray[np.float32]) -> float:
    if cloud.shape[1] == 3:
        return 2.5
    return 5 if len(cloud) < 1000 else 3.5


def _cloud(
    cloud: NDArray[Any],
    members: NDArray[Any],
    marker: dict[str, Any],
    name: str,
    hover: list[str] | None,
    pictured: bool,
) -> Any:
    x, y, *z = (np.ascontiguousarray(column) for column in cloud[members].T)
    style = {"mode": "markers", "marker": marker, "name": name, "legendgroup": name}
    if hover is not None:
        style["text"] = [hover[i] for i in members]
        style["hovertemplate"] = "%{text}"
    elif not z:
        style["hovertemplate"] = "%{x:.2f}, %{y:.2f}"
    if pictured:  # which image is a point's: its place in the cloud, whatever trace it is in
        style["customdata"] = members.tolist()
    if z:
        return go.Scatter3d(x=x, y=y, z=z[0], **style)
    return (go.Scattergl if len(cloud) > _MANY else go.Scatter)(x=x, y=y, **style)


def violin(values: NDArray[np.float32], column: int, sides: Sequence[int]) -> NDArray[np.float64]:
    """The outline of one column's violin, places and values [P, 2], on one side or on both."""
    from scipy.stats import gaussian_kde

    low, high = float(values.min()), float(values.max())
    up = np.linspace(low, high, 48)
    # All values equal: no density, the violin is a line across.
    spread = gaussian_kde(values)(up) if high > low else np.ones(48)
    half = 0.44 * spread / spread.max()
    edges = [np.stack([column + side * half, up], 1) for side in sides]
    if len(edges) == 1:
        edges.append(np.stack([np.full(48, float(column)), up], 1))
    return np.concatenate([edges[0], edges[1][::-1], edges[0][:1]])


def joined(lines: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Lines as one, with gaps."""
    gap = np.full((1, 2), np.nan)
    return np.concatenate([part for line in lines for part in (line, gap)])


def _line(points: NDArray[np.float64], unit: float, polar: bool, style: dict[str, Any]) -> Any:
    """A trace of places and values, along an axis or around a circle."""
    across, up = (np.ascontiguousarray(column.round(4)) for column in points.T)
    if polar:
        return go.Scatterpolar(theta=(unit * across).round(3), r=up, **style)
    return go.Scatter(x=across, y=up, **style)


def _few_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two, five or fewer."""
    rough = (high - low or 1.0) / 4
    size = 10.0 ** np.floor(np.log10(rough))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= rough)
    return [float(step * k) for k in range(int(np.ceil(low / step)), int(high // step) + 1)]
