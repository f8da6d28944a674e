"""Execute one notebook in its folder, and write it elsewhere.

python tools/execute_one.py NOTEBOOK TARGET SECONDS_PER_CELL
"""

import sys
from pathlib import Path

# Where it is there, the schema of notebooks compiles its grammar of addresses, which takes longer
# than all the rest that is imported here, and notebooks have no address to be checked.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]


def main(path: Path, target: Path, timeout: int) -> None:
    """Execute a notebook and write it."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    # The cache knows a notebook by its cells' metadata too: times in there would hide it. Widgets
    # are shown as pictures, and with their state a page would ask another host for their script.
    client = NotebookClient(
        notebook,
        timeout=timeout,
        resources=resources,
        record_timing=False,
        store_widget_state=False,
    )
    client.execute()
    nbformat.write(notebook, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
