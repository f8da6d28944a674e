"""Tell whether built pages show images of MNIST and Fashion-MNIST, and not what stands in.

    python tools/originals.py _build/html

A chapter that asks for images of a set must show at least one of them, pixel by pixel, and must
not have the note of `figures.stand_in_note`. Status 1 where one doesn't, with its name.
"""

import base64
import io
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from vaebook import datasets

ROOT = Path(__file__).resolve().parent.parent
NOTE = "vaebook-stand-in"  # a class of the note
LOADS = {"MNIST": datasets.mnist, "Fashion-MNIST": datasets.fashion_mnist}
CALLS = {"MNIST": ("handwritten", "mnist"), "Fashion-MNIST": ("fashion_mnist",)}


def asked(chapter: Path) -> list[str]:
    """Return the sets that a chapter asks for."""
    source = chapter.read_text(encoding="utf-8")
    return [
        title
        for title, names in CALLS.items()
        if any(f"datasets.{name}(" in source for name in names)
    ]


def pixels(title: str) -> set[bytes]:
    """Return the images of a set, of both its parts, each as its grey values."""
    parts = [LOADS[title](train=train).images for train in (False, True)]
    return {image.numpy().tobytes() for grey in parts for image in (grey * 255).round().byte()}


def shown(page: str) -> set[bytes]:
    """Return the images of 28 x 28 pixels in the grids of a page."""
    found = set()
    for source in set(re.findall(r"data:image/png;base64,([\w+/=]+)", page)):
        with Image.open(io.BytesIO(base64.b64decode(source))) as picture:
            if picture.mode in ("L", "LA"):
                found |= set(_cut(np.asarray(picture.convert("LA"))[..., 0]))
    return found


def _cut(sheet: np.ndarray) -> list[bytes]:
    """Return the images of a grid whose pixels are repeated, with a gap of one between images."""
    height, width = sheet.shape
    found = []
    for fold in range(1, 9):
        rows, columns = height // fold + 1, width // fold + 1
        if height % fold or width % fold or rows % 29 or columns % 29:
            continue
        small = sheet[::fold, ::fold]
        found += [
            small[y : y + 28, x : x + 28].tobytes()
            for y in range(0, rows, 29)
            for x in range(0, columns, 29)
        ]
    return found


def faults(site: Path) -> list[str]:
    """Return what is wrong with the pages of a built site.

    Raises:
        DatasetUnavailable: when there is nothing to compare them with.
    """
    known = {title: pixels(title) for title in LOADS}
    found = []
    for chapter in sorted((ROOT / "chapters").glob("*.ipynb")):
        titles = asked(chapter)
        if not titles:
            continue
        page = (site / "chapters" / f"{chapter.stem}.html").read_text(encoding="utf-8")
        images = shown(page)
        if NOTE in page:
            found.append(f"{chapter.stem} says that others stand in for MNIST")
        found += [
            f"{chapter.stem} shows no image of {title}"
            for title in titles
            if not images & known[title]
        ]
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: python tools/originals.py SITE")
    sys.exit("\n".join(faults(Path(sys.argv[1]))) or 0)
