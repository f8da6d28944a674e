"""What the figures share: reading arrays, and images set side by side as one picture."""

__all__ = [
    "Array",
    "Labels",
    "album",
    "bare_axes",
    "mosaic",
    "picture",
    "read_frames",
    "read_images",
    "read_numbers",
    "read_per_point",
    "round_ticks",
    "short_text",
]

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor
from vaebook.figures.renderer import describe

Array = Tensor | ArrayLike
Labels = Sequence[object] | None

_CELL = 72  # the widest that one image of a grid is drawn, in CSS pixels
_GAP = 1  # between the images of a grid, in pixels of the images
_SHARP = 1400  # the width to which the pixels of a picture are repeated, where they are fewer
_MOST_TICKS = 6
_MINUS = "\N{MINUS SIGN}"


def _array(value: Array) -> NDArray[Any]:
    """A tensor or array-like as a numpy array, off its device and its graph."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def read_numbers(value: Array, name: str, ndim: int, finite: bool = True) -> NDArray[np.float32]:
    """A float32 array of ndim dimensions that holds something."""
    array = _array(value).astype(np.float32)
    if array.ndim != ndim or not array.size:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {list(array.shape)}")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {np.sum(~np.isfinite(array))} values not so")
    return array


def read_per_point(value: Array, name: str, n: int) -> NDArray[Any]:
    """An array of n numbers, one a point."""
    array = _array(value)
    if array.shape != (n,):
        raise ValueError(f"{name} must be [{n}], one a point, got {list(array.shape)}")
    return array


def read_images(value: Array, name: str) -> NDArray[np.float32]:
    """Images of four dimensions in [0, 1]."""
    images = read_numbers(value, name, 4)
    if images.min() < -1e-6 or images.max() > 1 + 1e-6:
        raise ValueError(
            f"{name} must lie in [0, 1], got values from {images.min()} to {images.max()}"
        )
    return images


def read_frames(value: Array) -> NDArray[np.float32]:
    """Images [T, 1, H, W] in [0, 1], as [T, H, W]."""
    frames = read_images(value, "images")
    if frames.shape[1] != 1:
        raise ValueError(f"images must be [T, 1, H, W], got {list(frames.shape)}")
    return frames[:, 0]


def short_text(value: object) -> str:
    """A number short enough for a tick or a slider, anything else as it is."""
    if isinstance(value, Tensor | np.generic):
        value = value.item()
    return f"{value:.3g}".replace("-", _MINUS) if isinstance(value, float) else str(value)


def picture(cells: NDArray[np.float32], gap: int) -> go.Image:
    """Images [R, C, H, W] as one PNG, black at 0, the gaps and missing images transparent."""
    rows, columns, height, width = cells.shape
    padded = np.full((rows, columns, height + gap, width + gap), np.nan, np.float32)
    padded[:, :, :height, :width] = cells
    sheet = padded.transpose(0, 2, 1, 3).reshape(rows * (height + gap), columns * (width + gap))
    sheet = sheet[: len(sheet) - gap, : sheet.shape[1] - gap]
    # Every pixel as several: a browser then scales to any width with even, crisp edges.
    fold = max(1, min(8, _SHARP // sheet.shape[1]))
    sheet = sheet.repeat(fold, 0).repeat(fold, 1)

    there = np.isfinite(sheet)
    picture = Image.fromarray(np.where(there, np.rint(255 * sheet), 0).astype(np.uint8))
    if not there.all():
        picture.putalpha(Image.fromarray(there.astype(np.uint8) * 255))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    first = (1 / fold - 1) / 2
    return go.Image(source=source, x0=first, y0=first, dx=1 / fold, dy=1 / fold, hoverinfo="skip")


def album(frames: NDArray[np.float32], quality: int = 70) -> dict[str, Any]:
    """Images [N, H, W] on one sheet, as a JPEG, which is small; the page cuts them out again.

    Images are repeated at their lower and right edges until the sheet's blocks of 8 pixels fit
    them, so that none runs into its neighbour.
    """
    n, height, width = frames.shape
    columns = math.ceil(n**0.5)
    pad = [(0, -n % columns), (0, -height % 8), (0, -width % 8)]
    cells = np.pad(np.pad(frames, [(0, 0), *pad[1:]], mode="edge"), [pad[0], (0, 0), (0, 0)])
    down, across = cells.shape[1:]
    sheet = cells.reshape(-1, columns, down, across).transpose(0, 2, 1, 3)
    grey = np.rint(255 * sheet.reshape(-1, columns * across)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="JPEG", quality=quality)
    source = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {
        "source": source,
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
    figure = go.Figure(picture(cells, gap))
    bare_axes(figure, rows * down - gap, columns * across - gap)
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
            "ticktext": [short_text(label) for label in labels],
            "showticklabels": True,
            "ticklabelstandoff": 4,
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
            text=[short_text(line) for line in hover],
            mode="markers",
            marker={"size": 1, "opacity": 0},
            hovertemplate="%{text}<extra></extra>",
        )
        figure.update_layout(hoverdistance=-1)
    figure.update_layout(title_text=title, margin=margin, dragmode=False, showlegend=False)
    aspect = (rows * down - gap) / (columns * across - gap)
    return describe(figure, alt, aspect=aspect, max_width=16 + columns * cell)


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
