"""What the chapter on images of one's own promises of its code."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CHAPTER = Path(__file__).resolve().parents[2] / "chapters" / "19_your_own_images.ipynb"
STEPS = ("folder", "latent_map", "save", "line", "class_moments", "sample", "scores")


def shapes() -> np.ndarray:
    """Shapes of the page, [class, hue, size, tilt, pixels], every second size and tilt."""
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    (code,) = ["".join(c["source"]) for c in cells if "def draw(" in "".join(c["source"])]
    page: dict[str, Any] = {}
    exec(code, page)
    grid = product(page["PETALS"], range(12), (0, 2, 4), (0, 2, 4))
    drawn = [
        np.array(page["draw"](kind, hue / 12, 0.4 + 0.12 * size, 0.25 * (tilt - 2)))
        for kind, hue, size, tilt in grid
    ]
    return np.stack(drawn).reshape(3, 12, 3, 3, -1) / 255


def recipe() -> list[str]:
    """The lines of code that the page shows, from the imports to the scores."""
    lines: list[str] = []
    for cell in json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and "(sec:own-wrong)=" in source:
            return lines
        unseen = {"hide-input", "remove-cell"} & set(cell["metadata"].get("tags", []))
        if cell["cell_type"] == "code" and not unseen:
            lines += [line for line in source.split("\n") if line.strip()]
    raise AssertionError("no section on what goes wrong")


def test_from_a_folder_to_scores_it_takes_some_thirty_lines_beside_the_imports() -> None:
    lines = [line for line in recipe() if not line.startswith(("from ", "print("))]
    assert len(lines) <= 35
    code = "\n".join(lines)
    assert all(f".{step}(" in code for step in STEPS)


def test_the_lines_fit_the_column_of_a_page() -> None:
    assert max(map(len, recipe())) <= 76


@pytest.mark.slow
def test_hues_and_sizes_hold_far_more_of_the_pixels_variance_than_classes_do() -> None:
    pixels = shapes()
    variance = pixels.var((0, 1, 2, 3)).sum()
    held = {}
    for axis, name in enumerate(("class", "hue", "size", "tilt")):
        others = tuple(other for other in range(4) if other != axis)
        held[name] = pixels.mean(others).var(0).sum() / variance
    assert min(held["hue"], held["size"]) > 0.15
    assert held["class"] < 0.03
