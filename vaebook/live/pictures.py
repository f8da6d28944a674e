"""The pictures of a live figure: what stands in its place in print, and the clouds behind it."""

__all__ = [
    "bands",
    "bench",
    "bytes_of",
    "chart",
    "class_names",
    "cloud",
    "five_bits",
    "grid",
    "half_side",
    "pairs",
    "paths",
    "picture",
    "places",
    "points",
]

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from vaebook.datasets import ImageSet
from vaebook.figures.drawing import Point, Sheet
from vaebook.figures.pictures import data_url, to_picture
from vaebook.figures.renderer import CATEGORICAL

_SIDE = 168  # of an image on the page, in CSS pixels
_INKED = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" '
    'viewBox="0 0 {side} {side}"><style>text {{ dominant-baseline: central; fill: #111; '
    "font: 600 32px system-ui, sans-serif; paint-order: stroke; stroke: #fff; "
    "stroke-linejoin: round; stroke-width: 8px; text-anchor: middle }} "
    "@media (prefers-color-scheme: dark) {{ text {{ fill: #eee; stroke: #121212 }} }}</style>"
    '<image href="{url}" width="{side}" height="{side}"/>{words}</svg>'
)


def class_names(images: ImageSet) -> list[str]:
    """Return the name of each class of labelled images, its number where they have no names."""
    assert images.labels is not None
    return list(images.names or map(str, range(int(images.labels.max()) + 1)))


def picture(image: Tensor) -> str:
    """Return an image [C, H, W], grey or in colour, as the data URL of an enlarged PNG.

    Values outside [0, 1], which a Gaussian's mean may have, are drawn black or white.
    """
    drawn = to_picture(image.detach().cpu().numpy())
    fold = max(1, _SIDE // max(drawn.size))
    size = (fold * drawn.width, fold * drawn.height)
    return data_url(drawn.resize(size, Image.Resampling.NEAREST))


def grid(images: Tensor, widest: int = 840) -> str:
    """Return images [R, K, C, H, W] in [0, 1], side by side, as the data URL of a PNG.

    It is enlarged as far as it is no wider than `widest` pixels.
    """
    cells = torch.nn.functional.pad(images.detach().cpu(), (0, 1, 0, 1), value=0.5)
    sheet = cells.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
    drawn = to_picture(sheet[:, :-1, :-1].numpy())
    fold = max(1, widest // drawn.width)
    size = (fold * drawn.width, fold * drawn.height)
    return data_url(drawn.resize(size, Image.Resampling.NEAREST))


def pairs(images: Tensor, again: Tensor) -> str:
    """Return images [8 or fewer, C, H, W] in rows of four, each above what it was made into."""
    kept = torch.stack([images[: len(again)].clamp(0, 1), again.clamp(0, 1)])
    columns = min(4, len(again))
    missing = -len(again) % columns
    whole = torch.nn.functional.pad(kept, (0, 0) * 3 + (0, missing), value=0.5)
    rows = whole.unflatten(1, (-1, columns)).transpose(0, 1).flatten(0, 1)
    return grid(rows, widest=420)  # beside a plane, which has most of the width


def bytes_of(image: Tensor) -> str:
    """Return an image in [0, 1] as one byte per number, in base64."""
    pixels = (255 * image.detach().cpu()).round().byte()
    return base64.b64encode(pixels.numpy().tobytes()).decode()


def points(mu: Tensor, labels: Tensor | None, extent: float) -> dict[str, Any]:
    """Return the codes [N, 2] that lie in [-extent, extent]², and their labels, in base64.

    Each is three numbers of 16 bits: its place in the square, and its label or 0.
    """
    labels = mu.new_zeros(len(mu)) if labels is None else labels[: len(mu)]
    inside = (mu.abs() <= extent).all(1)
    places = (65535 * (0.5 + 0.5 * mu[inside].double() / extent)).round()
    numbers = torch.cat([places, labels[inside, None].double()], 1).numpy().astype("<u2")
    return {"data": base64.b64encode(numbers.tobytes()).decode(), "extent": extent}


def places(mu: Tensor, extent: float) -> str:
    """Return codes [N, D] in [-extent, extent], numbers of 16 bits each, in base64."""
    numbers = (65535 * (0.5 + 0.5 * mu.double() / extent)).round().numpy().astype("<u2")
    return base64.b64encode(numbers.tobytes()).decode()


def half_side(mu: Tensor) -> float:
    """Return half the side of a square that holds nearly all codes [N, 2]."""
    return max(0.5, float(np.ceil(2 * np.quantile(mu.abs().numpy(), 0.99)) / 2))


def cloud(
    points: Tensor,
    labels: Tensor | None,
    names: Sequence[str],
    extent: float,
    colours: Sequence[str] = CATEGORICAL,
    under: Tensor | None = None,
    inked: bool = False,
) -> str:
    """Return codes [N, 2] as a data URL, transparent, with the classes' names on their medians.

    Names are black with a white rim; where they are inked, an SVG has them in the ink of the page,
    by the colour scheme of the image that shows it.

    Where it is given, `under` [n, n] in [0, 1] is drawn as shades of grey below them; under[i, j]
    is that of the i-th place from the left and the j-th from the bottom.
    """
    side, radius = 840, 3
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    if under is not None:
        shades = Image.fromarray((110 * under.T.flip(0)).byte().cpu().numpy())
        sheet.paste("#808080", mask=shades.resize((side, side), Image.Resampling.NEAREST))
    draw = ImageDraw.Draw(sheet)
    labels = torch.zeros(len(points), dtype=torch.long) if labels is None else labels
    places = (0.5 + 0.5 * points / extent * points.new_tensor([1.0, -1.0])) * side
    for (x, y), label in zip(places.tolist(), labels.tolist(), strict=True):
        colour = colours[label % len(colours)]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    font = ImageFont.load_default(34)
    there = labels.unique().tolist() if names else []
    middles = [places[labels == label].median(0).values.tolist() for label in there]
    sizes = [(font.getlength(names[label]) + 14, 42.0) for label in there]
    spots = list(zip(there, _spread(middles, sizes), strict=True))
    for label, (x, y) in [] if inked else spots:
        draw.text((x, y), names[label], "#111", font, "mm", stroke_width=4, stroke_fill="#fff")
    kept = sheet.quantize(24 if under is None else 48, method=Image.Quantize.FASTOCTREE)
    url = data_url(kept)
    if not (inked and spots):
        return url
    words = "".join(
        f'<text x="{x:.0f}" y="{y:.0f}">{html.escape(names[label])}</text>'
        for label, (x, y) in spots
    )
    drawn = _INKED.format(side=side, url=url, words=words).encode()
    # The style of the page inverts an SVG that begins otherwise.
    return f"data:image/svg+xml;charset=utf-8;base64,{base64.b64encode(drawn).decode()}"


def whole_cloud(points: Tensor, labels: Tensor | None, names: Sequence[str]) -> str:
    """Return the same, inked, of points wherever they lie, all of them in the picture."""
    low, high = points.aminmax(dim=0)
    half = 0.52 * (high - low).max().item()
    return cloud(points - (low + high) / 2, labels, names, half, inked=True)


def _spread(
    middles: Sequence[Sequence[float]], sizes: Sequence[tuple[float, float]]
) -> list[list[float]]:
    """Push labels apart that lie on each other, the shorter way; `spread` of the page's script."""
    places = np.array(middles, dtype=float).reshape(-1, 2)
    for _ in range(64):
        for i in range(len(places)):
            for j in range(i):
                away = places[i] - places[j]
                over = np.add(sizes[i], sizes[j]) / 2 - np.abs(away)
                if (over <= 0).any():
                    continue
                k = int(over[1] <= over[0])
                push = (-1 if away[k] < 0 else 1) * over[k] / 2
                places[i, k] += push
                places[j, k] -= push
    found: list[list[float]] = places.tolist()
    return found


def paths(places: Tensor) -> str:
    """Return chains in a plane [T, K, 2] as a data URL, transparent, from rings to dots.

    All is grey, so that a ring is a ring and a dot a dot on a white page and on a black one.
    """
    side, edge = 840, 20
    low, high = places.flatten(0, 1).aminmax(dim=0)
    reach = max((high - low).max().item() / 2, 1e-6)
    unit = (side / 2 - edge) / reach
    spots = side / 2 + (places - (low + high) / 2) * places.new_tensor([unit, -unit])
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sheet)
    chains = [[(x, y) for x, y in chain] for chain in spots.transpose(0, 1).tolist()]
    for chain in chains:
        draw.line(chain, "#80808090", 2)
    # A chain that never moved is a dot in its ring.
    for k, radius, fill in ((0, 13, "#80808000"), (-1, 8, "#808080")):
        for chain in chains:
            x, y = chain[k]
            around = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(around, fill, "#808080", 4)
    return data_url(sheet.quantize(24, method=Image.Quantize.FASTOCTREE))


def bench(x: float, noise: float, mu: float, sigma: float) -> str:
    """Return the bench with a straight decoder as a data URL, transparent.

    As on the page the posterior is filled, q a line, the prior dashes.
    """
    width, height, floor, head = 1400, 480, 20, 30
    spread = (1 + noise**-2) ** -0.5
    tall = 1.3 / (spread * np.sqrt(2 * np.pi))  # the posterior's top, and room for q
    z = np.linspace(-4, 4, width)

    def curve(centre: float, scale: float) -> list[tuple[float, float]]:
        density = np.exp(-0.5 * ((z - centre) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
        up = height - floor - (height - floor - head) * density / tall
        return list(zip(range(width), up.tolist(), strict=True))

    sheet = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sheet)
    posterior = curve(x * spread**2 / noise**2, spread)
    draw.polygon([(0, height - floor), *posterior, (width, height - floor)], "#80808059")
    prior, q = curve(0, 1), curve(mu, sigma)
    for start in range(0, width, 32):
        draw.line(prior[start : start + 18], "#808080", 4)
    draw.line(q, "#111111", 7)
    for place in (mu, mu + sigma):
        x_place, y_place = q[min(max(round((place + 4) * (width - 1) / 8), 0), width - 1)]
        y_place = max(y_place, head)
        ring = (x_place - 18, y_place - 18, x_place + 18, y_place + 18)
        draw.ellipse(ring, None, "#111111", 7)
    return data_url(sheet)


def bands(
    pixels: Sequence[float], price: Sequence[float], ceiling: float, y_ticks: Sequence[float]
) -> str:
    """Return the two parts of a loss over the epochs as bands on each other, as a data URL.

    Args:
        pixels, price: the reconstruction and what is paid for the KL after each epoch, nats.
        ceiling: the loss of the mean image.
        y_ticks: numbers at the axis, from 0 to one beyond all.
    """
    looks = {"KL": {"colour": CATEGORICAL[1]}, "reconstruction": {"colour": CATEGORICAL[0]}}
    last = max(2, len(pixels))
    sheet, place = _axes(
        looks | {"mean image": {"dashed": True}},
        x_title="epochs",
        y_title="nats",
        x_ticks=sorted({1, (1 + len(pixels)) // 2, last}),
        y_ticks=y_ticks,
    )
    edges = [[a + b for a, b in zip(pixels, price, strict=True)], pixels, [0.0] * len(pixels)]
    for (high, low), look in zip(pairwise(edges), looks.values(), strict=True):
        above, below = ([place(t, y) for t, y in enumerate(edge, 1)] for edge in (high, low))
        sheet.polygon([*above, *below[::-1]], **look)
    sheet.line(place(1, ceiling), place(last, ceiling), dashed=True)
    return sheet.done("The loss against the epochs, in two bands.").data_url()


def five_bits(images: Tensor) -> tuple[int, str]:
    """Return images in [0, 1] as whole numbers of five bits each, in base64, and what is white.

    The levels are so many that each pixel is exact, where 32 or fewer do; they are 0/31 to 31/31
    otherwise.
    """
    pixels = images.detach().cpu().double().flatten().numpy()
    exact = (n for n in range(1, 32) if np.abs(n * pixels - np.rint(n * pixels)).max() < 1e-5)
    white = next(exact, 31)
    levels = np.rint(white * pixels).astype(np.uint8)
    bits = np.unpackbits(levels[:, None], axis=1)[:, 3:]
    return white, base64.b64encode(np.packbits(bits).tobytes()).decode()


def chart(
    lines: Mapping[str, tuple[Sequence[tuple[float, float]], Mapping[str, Any]]],
    words: Mapping[tuple[float, float], str],
    **axes: Any,
) -> str:
    """Return lines through points with a legend, words beside points, as a data URL.

    Args:
        lines: by its name the points (x, y) of each line, all within the ticks, and its look:
            keywords of :meth:`Sheet.line`.
        words: what to write beside a point.
        axes: keywords of :func:`_axes`.
    """
    sheet, place = _axes({name: look for name, (_, look) in lines.items()}, **axes)
    for points, look in lines.values():
        spots = [place(*point) for point in points]
        sheet.line(*spots, **look)
        if len(spots) > 2:
            for spot in spots:
                sheet.dot(*spot, colour=look.get("colour", ""))
    dots = [place(*point) for point in words]
    wide = [8.0 * len(text) for text in words.values()]
    for x, y in dots:
        sheet.dot(x, y, colour=CATEGORICAL[3], radius=4.5)
    middles = [
        (x + 8 + w / 2 if x + 8 + w < sheet.width else x - 8 - w / 2, y - 8)
        for (x, y), w in zip(dots, wide, strict=True)
    ]
    apart = _spread(middles, [(w, 16.0) for w in wide])
    for (x, y), text in zip(apart, words.values(), strict=True):
        sheet.words(x, y, text)
    return sheet.done("{y_title} against {x_title}.".format(**axes)).data_url()


def _axes(
    looks: Mapping[str, Mapping[str, Any]],
    *,
    x_title: str,
    y_title: str,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    log_x: bool = False,
    log_y: bool = False,
) -> tuple[Sheet, Callable[[float, float], Point]]:
    """Return a sheet with axes and a legend, and what tells the place of a point on it.

    Args:
        looks: of the legend's lines, by their names: keywords of :meth:`Sheet.line`.
        x_ticks, y_ticks: numbers at the axes, of which the first and the last are their ends.
    """
    width, height, left, right, top, foot = 380, 330, 52, 16, 18 * len(looks) + 14, 44
    sheet = Sheet(width, height)
    across, up = (np.log if log else np.asarray for log in (log_x, log_y))

    def place(x: float, y: float) -> Point:
        share = (across(x) - across(x_ticks[0])) / (across(x_ticks[-1]) - across(x_ticks[0]))
        rise = (up(y) - up(y_ticks[0])) / (up(y_ticks[-1]) - up(y_ticks[0]))
        low = height - foot
        return float(left + share * (width - left - right)), float(low - rise * (low - top))

    for x in x_ticks:
        spot = place(x, y_ticks[0])
        sheet.line(spot, (spot[0], spot[1] + 4))
        sheet.words(spot[0], spot[1] + 13, f"{x:,g}".replace("-", "−"), soft=True)
    for y in y_ticks:
        spot = place(x_ticks[0], y)
        sheet.line(spot, place(x_ticks[-1], y), soft=True)
        sheet.words(spot[0] - 6, spot[1], f"{y:,g}".replace("-", "−"), anchor="end", soft=True)
    sheet.words((left + width - right) / 2, height - 9, x_title)
    sheet.words(6, 8, f"↑ {y_title}", anchor="start")
    legend = width - 30 - 8 * max(map(len, looks))  # a line, and letters of 13 pixels
    for k, (name, look) in enumerate(looks.items()):
        level = 8 + 18 * k
        sheet.line((legend, level), (legend + 22, level), **look)
        sheet.words(legend + 28, level, name, anchor="start", soft=True)
    return sheet, place
