"""Put the cell that Colab needs before the first code cell of a notebook.

    python tools/first_cell.py chapters/*.ipynb

On Colab there is the notebook alone: the cell fetches the book, installs what is missing there,
and fetches the images of MNIST and Fashion-MNIST.
Anywhere else it does nothing and says nothing; the pages leave it out. Running this again changes
nothing, unless the address of the repository in `_config.yml` has changed.
"""

import sys
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
ID = "first-cell"


def address() -> str:
    """The address of the repository, from the one place where it stands."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return str(config["sphinx"]["config"]["html_theme_options"]["repository_url"])


def source() -> str:
    """The cell: three commands that a second run, or one after a restart, may repeat."""
    # One text, which ruff leaves alone at any line length and for any address.
    return f'''\
import os

if "COLAB_RELEASE_TAG" in os.environ:  # fetch the book and what it needs
    os.system("""git clone -q --depth 1 {address()} /content/book
pip install -q '/content/book[notebooks]' && python -m vaebook data""")
    os.chdir("/content/book/chapters")'''


def insert(notebook: NotebookNode) -> bool:
    """Put the cell into a notebook, or up to date; return whether that changed anything."""
    cell = nbformat.v4.new_code_cell(source(), id=ID, metadata={"tags": ["remove-cell"]})
    others = [c for c in notebook.cells if c.get("id") != ID]
    position = next((i for i, c in enumerate(others) if c.cell_type == "code"), len(others))
    cells = [*others[:position], cell, *others[position:]]
    changed = [c.source for c in cells] != [c.source for c in notebook.cells]
    notebook.cells = cells
    return changed


def main(paths: list[str]) -> None:
    """Insert the cell into each notebook, in place."""
    for path in map(Path, paths):
        notebook = nbformat.read(path, as_version=4)
        if insert(notebook):
            nbformat.write(notebook, path)
            print(f"changed {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
