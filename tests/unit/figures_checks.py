"""What the tests of the figures share: images of noise, and reading a picture back."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image

RNG = np.random.default_rng(0)
GRID = RNG.random((3, 4, 1, 5, 6)).astype(np.float32)  # [R, K, C, H, W]
COLOURED = RNG.random((3, 4, 3, 5, 6)).astype(np.float32)
STRIP = GRID.reshape(12, 1, 5, 6)


def opened(source: str) -> Image.Image:
    """The image that a data URL holds."""
    return Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))


def pixels(trace: go.Image) -> np.ndarray:
    """The picture of a trace, [H, W, 4]: red, green, blue and alpha of each original pixel."""
    fold = round(1 / trace.dx)
    return np.asarray(opened(trace.source).convert("RGBA"))[::fold, ::fold]


def eight_bits(image: np.ndarray) -> np.ndarray:
    """An image [C, H, W] in [0, 1] as a page shows it, [H, W, 3]."""
    return np.broadcast_to(np.rint(255 * image).transpose(1, 2, 0), (*image.shape[1:], 3))
