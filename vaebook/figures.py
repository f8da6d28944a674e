"""Plotly figures from arrays and tensors, in one dress, alive on the page and in JupyterLab.

Nothing of the science is computed here: a function draws what it is given. Every figure takes
``alt``, one or two sentences that say what is to be seen; the page reads them to those who
cannot see it. Titles take plotly's HTML (``z<sub>1</sub>``), not LaTeX. Importing this module
adds the renderer of the rendered book, see :mod:`vaebook._renderer`.
"""

__all__ = [
    "curves",
    "describe",
    "film_strip",
    "heatmap",
    "image_grid",
    "manifold",
    "scatter",
    "slider",
]

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from vaebook._renderer import CATEGORICAL, SEQUENTIAL, TEMPLATE, register

register()

Array = Tensor | ArrayLike
Labels = Sequence[object] | None

_WIDTH = 700  # of a text column on a desktop, in CSS pixels
_CELL = 72  # the widest that one image of a grid is drawn
_GAP = 1  # between the images of a grid, in pixels of the images
_MANY = 4000  # from here on a cloud of points is drawn by WebGL
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_TICKS = 9


def describe(
    figure: go.Figure, alt: str, *, aspect: float = 0.6, max_width: int | None = None
) -> go.Figure:
    """Give any plotly figure the book's dress and its description, and return it.

    Args:
        figure: changed in place.
        alt: what is to be seen, for readers who cannot see it.
        aspect: height of the plotting area over its width, kept at every width of the page.
        max_width: in CSS pixels; the width of the text where it is None.

    Raises:
        ValueError: for an empty description, or an aspect that is not positive.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say what is to be seen in the figure, got {alt!r}")
    if not aspect > 0:
        raise ValueError(f"aspect must be positive, got {aspect}")
    figure.update_layout(template=TEMPLATE)
    margin = TEMPLATE.layout.margin.to_plotly_json() | figure.layout.margin.to_plotly_json()
    if figure.layout.title.text:
        margin["t"] = max(margin["t"], 44)
    width = min(max_width or _WIDTH, _WIDTH) - margin["l"] - margin["r"]
    return figure.update_layout(
        meta={"alt": " ".join(alt.split()), "aspect": aspect, "max_width": max_width},
        margin=margin,
        height=round(width * aspect + margin["t"] + margin["b"]),
        width=max_width,
    )


def scatter(
    points: Array,
    labels: Array | None = None,
    *,
    alt: str,
    names: Sequence[str] | None = None,
    colour: Array | None = None,
    colour_title: str = "",
    x_title: str = "z<sub>1</sub>",
    y_title: str = "z<sub>2</sub>",
    z_title: str = "z<sub>3</sub>",
    title: str = "",
) -> go.Figure:
    """Draw a cloud of points in the plane or in space, coloured by class or by a quantity.

    Args:
        points: [N, 2] or [N, 3].
        labels: class of each point [N], integers; a click in the legend hides a class.
        names: name of each class, indexed by label; the labels themselves where it is None.
        colour: quantity of each point [N], instead of labels.

    Raises:
        ValueError: for other shapes, and where labels and colour are both given.
    """
    cloud = _numbers(points, "points", 2)
    if cloud.shape[1] not in (2, 3):
        raise ValueError(f"points must be [N, 2] or [N, 3], got {list(cloud.shape)}")
    if labels is not None and colour is not None:
        raise ValueError("points are coloured by labels or by colour, got both")
    size = {"size": 2.5 if cloud.shape[1] == 3 else 5 if len(cloud) < 1000 else 3.5}

    figure = go.Figure()
    if labels is not None:
        classes = _per_point(labels, "labels", len(cloud)).astype(int)
        for rank, label in enumerate(np.unique(classes)):
            name = _name(names, label)
            marker = {**size, "color": CATEGORICAL[rank % len(CATEGORICAL)], "opacity": 0.75}
            figure.add_trace(_cloud(cloud[classes == label], len(cloud), marker, name))
    else:
        marker = {**size, "color": CATEGORICAL[0], "opacity": 0.75}
        if colour is not None:
            values = _per_point(colour, "colour", len(cloud)).astype(np.float32)
            bar = {"title": {"text": colour_title, "side": "right"}, "thickness": 12}
            marker |= {"color": values, "colorscale": SEQUENTIAL, "colorbar": bar}
        figure.add_trace(_cloud(cloud, len(cloud), marker, ""))
        figure.update_layout(showlegend=False)

    figure.update_layout(title_text=title)
    if cloud.shape[1] == 3:
        axes = {"xaxis": x_title, "yaxis": y_title, "zaxis": z_title}
        figure.update_layout(
            scene={axis: {"title": {"text": text}} for axis, text in axes.items()},
            margin={"l": 0, "r": 0, "b": 0},
            dragmode="turntable",
        )
        return describe(figure, alt, aspect=0.8)
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(title_text=y_title, scaleanchor="x")
    return describe(figure, alt, aspect=0.8)


def image_grid(
    images: Array,
    *,
    alt: str,
    columns: int | None = None,
    row_labels: Labels = None,
    column_labels: Labels = None,
    hover: Labels = None,
    title: str = "",
) -> go.Figure:
    """Draw images in rows and columns, as one greyscale picture with black at 0, white at 1.

    Args:
        images: [R, C, H, W]; or [N, 1, H, W] together with columns, set row by row.
        columns: images in a row, for images [N, 1, H, W].
        row_labels: R of them.
        column_labels: C of them, above the columns.
        hover: a text for each image, row by row.

    Raises:
        ValueError: for another shape, values outside [0, 1], or labels that do not fit.
    """
    cells = _images(images, "images")
    if columns is not None:
        if cells.shape[1] != 1 or columns < 1:
            raise ValueError(
                "columns sets images [N, 1, H, W] in rows of at least one, "
                f"got columns={columns} and images {list(cells.shape)}"
            )
        blank = np.full((-len(cells) % columns, 1, *cells.shape[2:]), np.nan, np.float32)
        cells = np.concatenate([cells, blank]).reshape(-1, columns, *cells.shape[2:])
    return _mosaic(cells, alt, row_labels, column_labels, hover, title)


def film_strip(images: Array, *, alt: str, labels: Labels = None, title: str = "") -> go.Figure:
    """Draw images [T, 1, H, W] side by side, with a label above each where labels are given."""
    frames = _frames(images)
    return _mosaic(frames[None], alt, None, labels, None, title)


def manifold(
    images: Array,
    z1: Array,
    z2: Array,
    *,
    alt: str,
    x_title: str = "z<sub>1</sub>",
    y_title: str = "z<sub>2</sub>",
    title: str = "",
) -> go.Figure:
    """Draw the images decoded on a grid of codes where their codes lie.

    Args:
        images: [n, m, H, W]; images[i, j] is decoded from (z1[j], z2[i]).
        z1: horizontal coordinates [m].
        z2: vertical coordinates [n], the first one at the bottom.

    Raises:
        ValueError: for coordinates that do not fit the images.
    """
    cells = _images(images, "images")
    across, up = _numbers(z1, "z1", 1), _numbers(z2, "z2", 1)
    if cells.shape[:2] != (len(up), len(across)):
        raise ValueError(
            f"images must be [len(z2), len(z1), H, W] = [{len(up)}, {len(across)}, H, W], "
            f"got {list(cells.shape)}"
        )
    hover = [f"({x:.2f}, {y:.2f})" for y in up[::-1] for x in across]
    figure = _mosaic(cells[::-1], alt, None, None, hover, title, gap=0, cell=36)
    height, width = cells.shape[2:]
    figure.update_xaxes(**_ticks(across, width), title_text=x_title, showticklabels=True)
    figure.update_yaxes(**_ticks(up[::-1], height), title_text=y_title, showticklabels=True)
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
) -> go.Figure:
    """Draw lines, each with a band around it where one is given.

    Args:
        series: name -> (x, y) or (x, y, low, high), all [T].
        log_x, log_y: logarithmic axes.
        markers: a dot at each point.

    Raises:
        ValueError: for no series, or arrays of different lengths.
    """
    if not series:
        raise ValueError("series must hold at least one line, got none")
    figure = go.Figure()
    for rank, (name, arrays) in enumerate(series.items()):
        if len(arrays) not in (2, 4):
            raise ValueError(f"series[{name!r}] must be (x, y) or (x, y, low, high)")
        x, y, *band = (_numbers(a, f"series[{name!r}]", 1, finite=False) for a in arrays)
        if any(len(a) != len(x) for a in (y, *band)):
            lengths = [len(a) for a in (x, y, *band)]
            raise ValueError(f"series[{name!r}] must be of one length, got {lengths}")
        colour = CATEGORICAL[rank % len(CATEGORICAL)]
        if band:
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([band[1], band[0][::-1]]),
                fill="toself",
                fillcolor=f"rgba{(*bytes.fromhex(colour[1:]), 0.2)}",
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
            line={"color": colour, "width": 2.2, "dash": _DASHES[rank % len(_DASHES)]},
        )
    figure.update_xaxes(title_text=x_title, type="log" if log_x else None)
    figure.update_yaxes(title_text=y_title, type="log" if log_y else None)
    figure.update_layout(title_text=title, showlegend=len(series) > 1)
    return describe(figure, alt, aspect=0.55)


def slider(
    images: Array, values: Sequence[object], *, label: str, alt: str, title: str = ""
) -> go.Figure:
    """Draw one of the images [T, 1, H, W] at a time, chosen by a slider over values [T].

    Args:
        label: name of the quantity that the slider sets.

    Raises:
        ValueError: where images and values differ in number.
    """
    frames = _frames(images)
    steps = [_text(value) for value in values]
    if len(steps) != len(frames):
        raise ValueError(f"values must be {len(frames)}, one an image, got {len(steps)}")
    height, width = frames.shape[1:]
    pictures = [go.Image(source=_png(frame[None, None], 0), hoverinfo="skip") for frame in frames]
    jump = {"mode": "immediate", "frame": {"duration": 0}, "transition": {"duration": 0}}
    figure = go.Figure(
        data=[pictures[0]],
        frames=[go.Frame(data=[p], name=str(t)) for t, p in enumerate(pictures)],
    )
    _bare_axes(figure, height, width)
    figure.update_layout(
        title_text=title,
        margin={"l": 8, "r": 8, "t": 8, "b": 84},
        sliders=[
            {
                "currentvalue": {"prefix": f"{label} = "},
                "pad": {"t": 12},
                "transition": {"duration": 0},
                "steps": [
                    {"label": step, "method": "animate", "args": [[str(t)], jump]}
                    for t, step in enumerate(steps)
                ],
            }
        ],
    )
    return describe(figure, alt, aspect=height / width, max_width=320)


def heatmap(
    values: Array,
    x: Array | None = None,
    y: Array | None = None,
    *,
    alt: str,
    contour: bool = False,
    colour_title: str = "",
    x_title: str = "z<sub>1</sub>",
    y_title: str = "z<sub>2</sub>",
    title: str = "",
) -> go.Figure:
    """Draw a function on a grid as colours, with its contour lines where they are asked for.

    Args:
        values: [H, W]; values[i, j] belongs to (x[j], y[i]).
        x: [W], the columns' numbers where it is None.
        y: [H], upwards, the rows' numbers where it is None.

    Raises:
        ValueError: for coordinates that do not fit the values.
    """
    field = _numbers(values, "values", 2, finite=False)
    across = np.arange(field.shape[1]) if x is None else _numbers(x, "x", 1)
    up = np.arange(field.shape[0]) if y is None else _numbers(y, "y", 1)
    if field.shape != (len(up), len(across)):
        raise ValueError(
            f"values must be [len(y), len(x)] = [{len(up)}, {len(across)}], "
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
    figure.update_xaxes(title_text=x_title, showgrid=False, constrain="domain")
    figure.update_yaxes(title_text=y_title, showgrid=False, scaleanchor="x", constrain="domain")
    figure.update_layout(title_text=title)
    return describe(figure, alt, aspect=min(0.8, float(np.ptp(up) / np.ptp(across)) or 0.8))


def _array(value: Array) -> NDArray[Any]:
    """A tensor or array-like as a numpy array, off its device and its graph."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def _numbers(value: Array, name: str, ndim: int, finite: bool = True) -> NDArray[np.float32]:
    """A float32 array of ndim dimensions that holds something."""
    array = _array(value).astype(np.float32)
    if array.ndim != ndim or not array.size:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {list(array.shape)}")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {np.sum(~np.isfinite(array))} values not so")
    return array


def _per_point(value: Array, name: str, n: int) -> NDArray[Any]:
    array = _array(value)
    if array.shape != (n,):
        raise ValueError(f"{name} must be [{n}], one a point, got {list(array.shape)}")
    return array


def _images(value: Array, name: str) -> NDArray[np.float32]:
    images = _numbers(value, name, 4)
    if images.min() < -1e-6 or images.max() > 1 + 1e-6:
        raise ValueError(
            f"{name} must lie in [0, 1], got values from {images.min()} to {images.max()}"
        )
    return images


def _frames(value: Array) -> NDArray[np.float32]:
    images = _images(value, "images")
    if images.shape[1] != 1:
        raise ValueError(f"images must be [T, 1, H, W], got {list(images.shape)}")
    return images[:, 0]


def _name(names: Sequence[str] | None, label: int) -> str:
    if names is None:
        return str(label)
    if not 0 <= label < len(names):
        raise ValueError(f"names must cover every label, got {len(names)} for label {label}")
    return str(names[label])


def _text(value: object) -> str:
    """A number short enough for a tick or a slider, anything else as it is."""
    if isinstance(value, Tensor | np.generic):
        value = value.item()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cloud(points: NDArray[Any], total: int, marker: dict[str, Any], name: str) -> Any:
    x, y, *z = (np.ascontiguousarray(column) for column in points.T)
    style = {"mode": "markers", "marker": marker, "name": name}
    if z:
        return go.Scatter3d(x=x, y=y, z=z[0], **style)
    style["hovertemplate"] = "%{x:.2f}, %{y:.2f}"
    return (go.Scattergl if total > _MANY else go.Scatter)(x=x, y=y, **style)


def _png(cells: NDArray[np.float32], gap: int) -> str:
    """Images [R, C, H, W] as one PNG, black at 0, the gaps and missing images transparent."""
    rows, columns, height, width = cells.shape
    padded = np.full((rows, columns, height + gap, width + gap), np.nan, np.float32)
    padded[:, :, :height, :width] = cells
    sheet = padded.transpose(0, 2, 1, 3).reshape(rows * (height + gap), columns * (width + gap))
    sheet = sheet[: len(sheet) - gap, : sheet.shape[1] - gap]
    there = np.isfinite(sheet)
    grey = np.where(there, np.rint(255 * sheet), 0).astype(np.uint8)
    picture = Image.fromarray(grey)
    if not there.all():
        picture.putalpha(Image.fromarray(there.astype(np.uint8) * 255))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _bare_axes(figure: go.Figure, height: int, width: int) -> None:
    bare = {"showgrid": False, "showticklabels": False, "ticks": "", "fixedrange": True}
    figure.update_xaxes(**bare, range=[-0.5, width - 0.5], constrain="domain")
    figure.update_yaxes(**bare, range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain")


def _mosaic(
    cells: NDArray[np.float32],
    alt: str,
    row_labels: Labels,
    column_labels: Labels,
    hover: Labels,
    title: str,
    gap: int = _GAP,
    cell: int = _CELL,
) -> go.Figure:
    """Images [R, C, H, W] as one picture, in coordinates of its pixels."""
    rows, columns, height, width = cells.shape
    down, across = height + gap, width + gap
    figure = go.Figure(go.Image(source=_png(cells, gap), hoverinfo="skip"))
    _bare_axes(figure, rows * down - gap, columns * across - gap)
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    for name, labels, count, pitch, side in (
        ("row_labels", row_labels, rows, down, height),
        ("column_labels", column_labels, columns, across, width),
    ):
        if labels is None:
            continue
        if len(labels) != count:
            raise ValueError(f"{name} must be {count}, got {len(labels)}")
        ticks = {
            "tickvals": [i * pitch + (side - 1) / 2 for i in range(count)],
            "ticktext": [_text(label) for label in labels],
            "showticklabels": True,
        }
        if name == "row_labels":
            figure.update_yaxes(**ticks)
        else:
            figure.update_xaxes(**ticks, side="top")
            margin["t"] = 28
    if hover is not None:
        spots = [(r, c) for r in range(rows) for c in range(columns)][: len(hover)]
        figure.add_scatter(
            x=[c * across + (width - 1) / 2 for _, c in spots],
            y=[r * down + (height - 1) / 2 for r, _ in spots],
            text=[_text(text) for text in hover],
            mode="markers",
            marker={"size": 1, "opacity": 0},
            hovertemplate="%{text}<extra></extra>",
        )
        figure.update_layout(hoverdistance=-1)
    figure.update_layout(title_text=title, margin=margin, dragmode=False, showlegend=False)
    aspect = (rows * down - gap) / (columns * across - gap)
    return describe(figure, alt, aspect=aspect, max_width=16 + columns * cell)


def _ticks(values: NDArray[np.float32], pitch: int) -> dict[str, Any]:
    """At most nine of a mosaic's coordinates, evenly chosen, at the middle of their images."""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(_TICKS, len(values))).round())
    return {
        "tickvals": [float(i * pitch + (pitch - 1) / 2) for i in chosen],
        "ticktext": [f"{values[int(i)]:.3g}".replace("-", "\N{MINUS SIGN}") for i in chosen],
        "ticks": "outside",
    }
