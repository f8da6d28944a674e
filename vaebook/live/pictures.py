"""The pictures of a live figure: what stands in its place in print, and the clouds behind it."""

__all__ = ["bench", "bytes_of", "cloud", "five_bits", "half_side", "picture"]

import base64
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from vaebook.figures.pictures import data_url, to_picture
from vaebook.figures.renderer import CATEGORICAL

_SIDE = 168  # of an image on the page, in CSS pixels


def picture(image: Tensor) -> str:
    """Return an image [C, H, W], grey or in colour, as the data URL of an enlarged PNG.

    Values outside [0, 1], which a Gaussian's mean may have, are drawn black or white.
    """
    drawn = to_picture(image.detach().cpu().numpy())
    fold = max(1, _SIDE // max(drawn.size))
    size = (fold * drawn.width, fold * drawn.height)
    return data_url(drawn.resize(size, Image.Resampling.NEAREST))


def bytes_of(image: Tensor) -> str:
    """Return an image in [0, 1] as one byte per number, in base64."""
    pixels = (255 * image.detach().cpu()).round().byte()
    return base64.b64encode(pixels.numpy().tobytes()).decode()


def half_side(mu: Tensor) -> float:
    """Return half the side of a square that holds nearly all codes [N, 2]."""
    return max(0.5, float(np.ceil(2 * np.quantile(mu.abs().numpy(), 0.99)) / 2))


def cloud(points: Tensor, labels: Tensor | None, names: Sequence[str], extent: float) -> str:
    """Return codes [N, 2] as a data URL, transparent, with the classes' names on their medians."""
    side, radius = 840, 3
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sheet)
    labels = torch.zeros(len(points), dtype=torch.long) if labels is None else labels
    places = (0.5 + 0.5 * points / extent * points.new_tensor([1.0, -1.0])) * side
    for (x, y), label in zip(places.tolist(), labels.tolist(), strict=True):
        colour = CATEGORICAL[label % len(CATEGORICAL)]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    font = ImageFont.load_default(34)
    for label in labels.unique().tolist() if names else []:
        x, y = places[labels == label].median(0).values.tolist()
        draw.text((x, y), names[label], "#111", font, "mm", stroke_width=4, stroke_fill="#fff")
    return data_url(sheet.quantize(24, method=Image.Quantize.FASTOCTREE))


def bench(x: float, noise: float, mu: float, sigma: float) -> str:
    """Return prior, posterior and q of a straight decoder, which are Gaussians, as a data URL."""
    width, height = 1400, 480
    sheet = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sheet)
    z = np.linspace(-4, 4, width)
    spread = (1 + noise**-2) ** -0.5
    curves = (
        (0.0, 1.0, "#808080"),
        (x * spread**2 / noise**2, spread, CATEGORICAL[1]),
        (mu, sigma, CATEGORICAL[0]),
    )
    for centre, scale, colour in curves:
        density = np.exp(-0.5 * ((z - centre) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
        heights = height - 20 - (height - 40) * density * spread * np.sqrt(2 * np.pi)
        draw.line(list(zip(range(width), heights.tolist(), strict=True)), colour, 5)
    return data_url(sheet)


def five_bits(images: Tensor) -> tuple[int, str]:
    """Return images in [0, 1] as whole numbers of five bits each, in base64, and what is white.

    The levels are so many that each pixel is exact, where 32 do; they are 0/31 to 31/31 otherwise.
    """
    pixels = images.detach().cpu().double().flatten().numpy()
    exact = (n for n in range(1, 32) if np.abs(n * pixels - np.rint(n * pixels)).max() < 1e-5)
    white = next(exact, 31)
    levels = np.rint(white * pixels).astype(np.uint8)
    bits = np.unpackbits(levels[:, None], axis=1)[:, 3:]
    return white, base64.b64encode(np.packbits(bits).tobytes()).decode()
