"""The example of the README, run on a folder of pictures as somebody may have them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vaebook import figures, recipes
from vaebook.latent import mixtures

README = Path(__file__).resolve().parents[2] / "README.md"


def example() -> str:
    """The block of the README that reads a folder."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (text,) = [block for block in blocks if "datasets.folder" in block]
    return text


def draw(path: Path, rng: np.random.Generator, colour: list[int]) -> None:
    """A photograph of a disc in a colour, somewhere in a picture of some size."""
    height, width = rng.integers(40, 90, 2)
    y, x = np.mgrid[:height, :width]
    disc = (x - width * rng.uniform(0.4, 0.6)) ** 2 + (y - height / 2) ** 2 < 15**2
    pixels = np.where(disc[..., None], colour, 30) + rng.integers(0, 9, (height, width, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def test_the_example_has_fifteen_lines_and_the_lines_are_short() -> None:
    lines = [line for line in example().splitlines() if line]
    assert len(lines) <= 15
    assert max(map(len, lines)) <= 99


@pytest.mark.slow
def test_from_a_folder_to_a_map_a_file_and_figures_of_another_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for i in range(60):
        draw(Path("photos/red") / f"{i}.jpg", rng, [220, 40, 40])
        draw(Path("photos/blue") / f"{i}.PNG", rng, [40, 40, 220])
    torch.manual_seed(0)
    code = example()
    for given, small in (
        ('"photos", size=64', '"photos", size=32'),
        ("(3, 64, 64)", "(3, 32, 32)"),
        ("batch_size=64", "batch_size=8"),
        ("epochs=50", "epochs=20"),
    ):
        assert given in code
        code = code.replace(given, small)
    exec(compile(code, "README.md", "exec"), {})

    page = Path("map.html").read_text(encoding="utf-8")
    assert "vaebook-latent-map" in page
    trained = recipes.load("mine.safetensors")
    assert trained.card == {"names": ["blue", "red"]}
    loss = trained.history.epochs["validation_loss"]
    assert min(loss) < loss[0]
    # The classes lie apart, and what is decoded at their means has their colours.
    codes = trained.codes
    moments = mixtures.class_moments(codes.mu, codes.logvar, codes.labels)
    decoded = trained.model.decode(moments.means.float())
    middle = decoded[:, :, 12:20, 12:20].mean((2, 3))
    assert middle[0, 2] > middle[0, 0] + 0.2
    assert middle[1, 0] > middle[1, 2] + 0.2
    figures.image_grid(decoded.clamp(0, 1), columns=2, alt="Two discs.")
    figures.scatter(codes.mu, codes.labels, names=trained.card["names"], alt="Two clouds.")
