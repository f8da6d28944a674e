"""Execute notebooks in place and keep only the outputs that are compared.

A cell tagged ``keep_output`` keeps its output and its execution count, without which nbval
would never compare it; all others lose both, and so the repository stays small. The cell that
Colab needs (see ``first_cell.py``) is put in where it is missing.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

import first_cell


def strip(notebook: nbformat.NotebookNode) -> None:
    """Remove outputs, counts and timings, but for cells tagged keep_output."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code" and "keep_output" not in cell.metadata.get("tags", []):
            cell.outputs = []
            cell.execution_count = None
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})


def main(paths: list[str]) -> None:
    """Execute and strip each notebook, in the folder in which it lies."""
    for path in map(Path, paths):
        print(f"executing {path}", flush=True)
        notebook = nbformat.read(path, as_version=4)
        first_cell.insert(notebook)
        resources = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=120, resources=resources).execute()
        strip(notebook)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
