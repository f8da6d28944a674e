"""Draw the picture of the README from the shipped weights.

    python tools/picture.py .github/picture.png

Left the codes of MNIST's test images in a two-dimensional latent space, right what the decoder
makes of the same square: the code at a place on the left is decoded at that place on the right.
"""

import io
import sys
from pathlib import Path

import matplotlib
import torch
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from vaebook import recipes

matplotlib.use("Agg")
from matplotlib import pyplot as plt

REACH, TILES = 3.0, 20


def draw(target: Path) -> None:
    """Write the picture as PNG."""
    trained = recipes.load("mnist-mlp-2d")
    axis = torch.linspace(-REACH, REACH, 2 * TILES + 1)[1::2]
    rows, columns = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    with torch.no_grad():
        images = trained.model.decode(torch.stack([columns, rows], -1).reshape(-1, 2))
    side = images.shape[-1]
    mosaic = images.reshape(TILES, TILES, side, side).permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    codes = trained.codes.mu
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.5), layout=layout)
    labels = trained.codes.labels
    assert labels is not None  # MNIST has classes
    colours = plt.get_cmap("tab10")(labels.numpy())
    left.scatter(*codes.T.numpy(), s=2, c=colours, linewidths=0)
    for digit in range(10):
        middle = codes[labels == digit].median(dim=0).values
        box = {"boxstyle": "circle", "facecolor": "white", "alpha": 0.8, "linewidth": 0}
        left.text(*middle, str(digit), ha="center", va="center", bbox=box, fontsize=11)
    left.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
    edges = (-REACH, REACH, -REACH, REACH)
    right.imshow(mosaic.numpy(), cmap="gray", extent=edges, interpolation="antialiased")
    for axes, title in ((left, "encoded"), (right, "decoded")):
        axes.set(title=title, xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    target.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    # A palette of 160 colours looks the same and takes a third of the space.
    Image.open(buffer).convert("RGB").quantize(160).save(target, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
