"""What the chapter on images of one's own promises of its code."""

import json
from pathlib import Path

CHAPTER = Path(__file__).resolve().parents[2] / "chapters" / "19_your_own_images.ipynb"
STEPS = ("folder", "latent_map", "save", "line", "class_moments", "sample", "scores")


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
