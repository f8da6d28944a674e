"""The buttons that open a chapter on Binder and on Colab."""

from pathlib import Path

import pytest

import first_cell
from tests.site.built_site import SITE

ROOT = Path(__file__).resolve().parents[2]

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_opens_on_binder_and_on_colab(path: Path) -> None:
    text = (SITE / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    slug = first_cell.address().removeprefix("https://github.com/")
    lab = f"https://mybinder.org/v2/gh/{slug}/main?urlpath=lab/tree/chapters/{path.name}"
    colab = f"https://colab.research.google.com/github/{slug}/blob/main/chapters/{path.name}"
    assert f'href="{lab}"' in text
    assert f'href="{colab}"' in text


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_the_cell_for_colab_is_not_on_the_page(path: Path) -> None:
    text = (SITE / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    assert "COLAB_RELEASE_TAG" not in text
