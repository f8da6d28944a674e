"""What the figures share: reading arrays, and images set side by side as one picture."""

__all__ = [
    "Array",
    "Texts",
    "album",
    "bare_axes",
    "data_url",
    "mosaic",
    "picture",
    "read_axis",
    "read_classes",
    "read_images",
    "read_numbers",
    "read_per_point",
    "read_texts",
    "round_ticks",
    "to_picture",
]

import base64
import io
import math
from collections.abc import Sequence
from reprlib import repr as shorten
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from vaebook.figures.renderer import Figure, describe

Array = Tensor | ArrayLike
Texts = Sequence[object] | Tensor | NDArray[Any]

_CELL = 72  # the widest that one image of a grid is drawn, in CSS pixels
_BETWEEN = 0.1  # of the two parts of a folded grid, over their width
_GAP = 1  # between the images of a grid, in pixels of the images
_SHARP = 1400  # the width to which the pixels of a picture are repeated, where they are fewer
_SHORT_NAME = 6  # letters of a row's name, which always has room beside the row
_MOST_TICKS = 6
_MINUS = "\N{MINUS SIGN}"


def _array(value: object, name: str, kinds: str = "fiub") -> NDArray[Any]:
    """A tensor or array-like as a numpy array of some kinds of dtype, off device and graph."""
    try:
        if isinstance(value, Tensor):
            value = value.detach().cpu()
            value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{name} must be a tensor, an array or a list of numbers, "
            f"got {type(value).__name__}: {error}"
        ) from error
    if array.dtype.kind not in kinds:
        wanted = "numbers" if "f" in kinds else "integers"
        raise ValueError(f"{name} must be {wanted}, got {array.dtype}")
    return array


def read_numbers(value: object, name: str, shape: str, finite: bool = True) -> NDArray[np.float32]:
    """A float32 array of as many dimensions as the shape has, e.g. ``"[N, D]"``, not empty."""
    given = _array(value, name)
    if given.ndim != shape.count(",") + 1 or not given.size:
        raise ValueError(f"{name} must be {shape}, got shape {list(given.shape)}")
    with np.errstate(over="ignore"):
        array = given.astype(np.float32)
    bad = ~np.isfinite(array) if finite else np.isfinite(given) & ~np.isfinite(array)
    if bad.any():
        raise ValueError(f"{name} must be finite in float32, got {bad.sum()} values not so")
    return array


def read_axis(value: object, name: str) -> NDArray[np.float32]:
    """Coordinates that rise all along, or fall."""
    axis = read_numbers(value, name, "[n]")
    steps = np.diff(axis)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError(f"{name} must rise, or fall, from each number to the next")
    return axis


def read_per_point(value: object, name: str, n: int) -> NDArray[np.float32]:
    """An array of n finite numbers, one per point."""
    array = read_numbers(value, name, f"[{n}]")
    if len(array) != n:
        raise ValueError(f"{name} must be [{n}], one per point, got [{len(array)}]")
    return array


def read_classes(value: object, name: str, n: int) -> NDArray[np.int64]:
    """An array of n labels, 0 or more."""
    array = _array(value, name, "iub")
    if array.shape != (n,):
        raise ValueError(f"{name} must be [{n}], one per point, got {list(array.shape)}")
    if array.min() < 0:
        raise ValueError(f"{name} must be 0 or more, got {array.min()}")
    return array.astype(np.int64)


def read_images(
    value: object, name: str = "images", shape: str = "[N, C, H, W]"
) -> NDArray[np.float32]:
    """Images in [0, 1] of one channel or of three; the last three dimensions are C, H, W."""
    images = read_numbers(value, name, shape)
    if images.shape[-3] not in (1, 3):
        raise ValueError(f"{name} must be {shape} with C of 1 or 3, got {list(images.shape)}")
    if images.min() < -1e-6 or images.max() > 1 + 1e-6:
        raise ValueError(
            f"{name} must lie in [0, 1], got values from {images.min()} to {images.max()}"
        )
    return images


def read_texts(value: Texts, name: str, n: int | None = None, each: str = "") -> list[str]:
    """Words or numbers as short texts; n of them, one per each, where n is given."""
    try:
        texts = [_short(text) for text in value]
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be words or numbers, got {shorten(value)}") from error
    if n is not None and len(texts) != n:
        raise ValueError(f"{name} must be {n}, one per {each}, got {len(texts)}")
    return texts


def _short(value: object) -> str:
    if isinstance(value, Tensor | np.generic | np.ndarray):
        value = value.item()
    return f"{value:.3g}".replace("-", _MINUS) if isinstance(value, float) else str(value)


def data_url(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    """Return an image as a URL that holds it.

    Args:
        kind: PNG, which keeps every pixel, or JPEG, which is smaller.
        options: of Pillow's ``save``.

    Example:
        >>> data_url(Image.new("L", (2, 2)))[:30]
        'data:image/png;base64,iVBORw0K'
    """
    buffer = io.BytesIO()
    image.save(buffer, format=kind, optimize=True, **options)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{content}"


def to_picture(sheet: NDArray[np.float32]) -> Image.Image:
    """Channels [C, H, W] as a picture, grey where there is one of them."""
    colours = np.rint(255 * sheet).clip(0, 255).astype(np.uint8)
    return Image.fromarray(colours[0] if len(colours) == 1 else colours.transpose(1, 2, 0))


def picture(cells: NDArray[np.float32], gap: int) -> go.Image:
    """Images [R, K, C, H, W] as one PNG, black at 0, the gaps and missing images transparent."""
    rows, columns, channels, height, width = cells.shape
    padded = np.full((rows, columns, channels, height + gap, width + gap), np.nan, np.float32)
    padded[..., :height, :width] = cells
    sheet = padded.transpose(2, 0, 3, 1, 4)
    sheet = sheet.reshape(channels, rows * (height + gap), columns * (width + gap))
    sheet = sheet[:, : sheet.shape[1] - gap, : sheet.shape[2] - gap]
    # Every pixel as several: a browser then scales to any width with even, crisp edges.
    fold = max(1, min(8, _SHARP // sheet.shape[2]))
    sheet = sheet.repeat(fold, 1).repeat(fold, 2)

    there = np.isfinite(sheet[0])
    drawn = to_picture(np.nan_to_num(sheet))
    if not there.all():
        drawn.putalpha(Image.fromarray(there.astype(np.uint8) * 255))
    first = (1 / fold - 1) / 2
    return go.Image(
        source=data_url(drawn), x0=first, y0=first, dx=1 / fold, dy=1 / fold, hoverinfo="skip"
    )


def album(images: NDArray[np.float32], quality: int = 70) -> dict[str, Any]:
    """Images [N, C, H, W] on one sheet, as a JPEG, which is small; the page cuts them out again.

    Images are repeated at their lower and right edges until the sheet's blocks of 8 pixels fit
    them, so that none runs into its neighbour.
    """
    n, channels, height, width = images.shape
    columns = math.ceil(n**0.5)
    edges = [(0, 0), (0, 0), (0, -height % 8), (0, -width % 8)]
    cells = np.pad(images, edges, mode="edge")
    cells = np.pad(cells, [(0, -n % columns), (0, 0), (0, 0), (0, 0)])
    down, across = cells.shape[2:]
    sheet = cells.reshape(-1, columns, channels, down, across).transpose(2, 0, 3, 1, 4)
    sheet = sheet.reshape(channels, -1, columns * across)
    return {
        # Colours at full resolution, or their blocks would be 16 pixels wide.
        "source": data_url(to_picture(sheet), "JPEG", quality=quality, subsampling=0),
        "count": n,
        "columns": columns,
        "pitch": [across, down],
        "size": [width, height],
    }


def bare_axes(figure: go.Figure, height: int, width: int) -> None:
    """Axes in pixels that show nothing, the first row on top."""
    bare = {"showgrid": False, "showticklabels": False, "ticks": "", "fixedrange": True}
    figure.update_xaxes(**bare, range=[-0.5, width - 0.5], constrain="domain")
    figure.update_yaxes(**bare, range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain")


def mosaic(
    cells: NDArray[np.float32],
    alt: str,
    row_labels: Texts | None,
    column_labels: Texts | None,
    hover: list[str] | None,
    title: str,
    gap: int = _GAP,
    cell: int = _CELL,
) -> Figure:
    """Images [R, K, C, H, W] as one picture, in coordinates of its pixels."""
    rows, columns, _, height, width = cells.shape
    down, across = height + gap, width + gap
    names = None if row_labels is None else read_texts(row_labels, "row_labels", rows, "row")
    # A row whose name goes above it where the page is narrow is a picture of its own.
    apart = names is not None and max(map(len, names)) > _SHORT_NAME
    pictures = [picture(row[None], gap) for row in cells] if apart else [picture(cells, gap)]
    for row, trace in enumerate(pictures):
        trace.y0 += row * down
    figure = go.Figure(pictures)
    bare_axes(figure, rows * down - gap, columns * across - gap)
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    if names is not None:
        figure.update_yaxes(**_names_along(names, down, height))
    if apart:
        figure.update_layout(meta={"rows": {"names": names, "pitch": down}})
    if column_labels is not None:
        above = read_texts(column_labels, "column_labels", columns, "column")
        figure.update_xaxes(**_names_along(above, across, width), side="top")
        margin["t"] = 28
    if hover is not None:
        spots = [(r, k) for r in range(rows) for k in range(columns)][: len(hover)]
        figure.add_scatter(
            x=[k * across + (width - 1) / 2 for _, k in spots],
            y=[r * down + (height - 1) / 2 for r, _ in spots],
            text=hover,
            mode="markers",
            marker={"size": 1, "opacity": 0},
            hovertemplate="%{text}<extra></extra>",
        )
        figure.update_layout(hoverdistance=-1)
    figure.update_layout(title_text=title, margin=margin, dragmode=False, showlegend=False)
    aspect = (rows * down - gap) / (columns * across - gap)
    return describe(figure, alt, aspect=aspect, max_width=16 + columns * cell)


def folded(figure: Figure, fold: int, columns: int) -> Figure:
    """A mosaic of one picture whose columns after `fold` stand below the others on a phone."""
    left, right = figure.layout.xaxis.range
    bottom, top = figure.layout.yaxis.range
    pitch = (right - left + _GAP) / columns
    ends = [(left, left + fold * pitch - _GAP), (left + (fold + 1) * pitch, right)]
    # Both parts are as wide as the page, with room for a line of words between them.
    shapes = [(bottom - top) / (high - low) for low, high in ends]
    tall = sum(shapes) + _BETWEEN
    upper, lower = figure.layout.xaxis.to_plotly_json(), figure.layout.yaxis.to_plotly_json()
    parts = {
        "xaxis": {"range": ends[0]},
        "yaxis": {"domain": [round(1 - shapes[0] / tall, 4), 1]},
        "xaxis2": upper | {"range": ends[1], "anchor": "y2"},
        "yaxis2": lower
        | {"domain": [0, round(shapes[1] / tall, 4)], "scaleanchor": "x2", "anchor": "x2"},
    }
    again = {"xaxis": "x2", "yaxis": "y2"}
    narrow = {"aspect": round(tall, 4), "parts": parts, "again": again}
    return figure.update_layout(meta=figure.layout.meta | {"narrow": narrow})


def _names_along(names: list[str], pitch: int, side: int) -> dict[str, Any]:
    """A name in the middle of each row or column."""
    return {
        "tickvals": [i * pitch + (side - 1) / 2 for i in range(len(names))],
        "ticktext": names,
        "showticklabels": True,
        "ticklabelstandoff": 4,
    }


def round_ticks(values: NDArray[np.float32], pitch: int) -> dict[str, Any]:
    """Round numbers at the places that they have among the images of a mosaic."""
    low, high = float(values.min()), float(values.max())
    step = float(10 ** np.floor(np.log10((high - low) or 1.0)))
    step *= next(f for f in (0.2, 0.5, 1.0, 2.0) if (high - low) / (f * step) <= _MOST_TICKS)
    round_values = step * np.arange(np.ceil(low / step - 1e-6), np.floor(high / step + 1e-6) + 1)
    decimals = max(0, -int(np.floor(np.log10(step * 1.001))))
    order = np.argsort(values)
    places = np.interp(round_values, values[order], np.arange(len(values))[order])
    return {
        "tickvals": [float(place * pitch + (pitch - 1) / 2) for place in places],
        "ticktext": [f"{value:.{decimals}f}".replace("-", _MINUS) for value in round_values],
        "ticks": "outside",
    }
