"""The buttons that open a chapter on Binder and on Colab."""

from pathlib import Path

import pytest

import first_cell
from tests.site.built_site import SITE

ROOT = Path(__file__).resolve().parents[2]

NOTEBOOKS = ["intro", *(f"chapters/{p.stem}" for p in sorted((ROOT / "chapters").glob("*.ipynb")))]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_opens_on_binder_and_on_colab(name: str) -> None:
    text = (SITE / f"{name}.html").read_text(encoding="utf-8")
    slug = first_cell.address().removeprefix("https://github.com/")
    lab = f"https://mybinder.org/v2/gh/{slug}/main?urlpath=lab/tree/{name}.ipynb"
    colab = f"https://colab.research.google.com/github/{slug}/blob/main/{name}.ipynb"
    assert f'href="{lab}"' in text
    assert f'href="{colab}"' in text


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_cell_for_colab_is_not_on_the_page(name: str) -> None:
    text = (SITE / f"{name}.html").read_text(encoding="utf-8")
    assert "COLAB_RELEASE_TAG" not in text
