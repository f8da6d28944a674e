"""Results of the experiments that the pages quote, and the experiments that make them.

Each table that comes with the package is what the study of the same name in `experiments/` has
written: a line per row, with the fingerprint of what computed it.
"""

from vaebook.tables.experiment import Experiment, Failed, from_file, run
from vaebook.tables.pictures import pack_images, unpack_images
from vaebook.tables.table import FOLDER, Table, available, load, read, rounded

__all__ = [
    "FOLDER",
    "Experiment",
    "Failed",
    "Table",
    "available",
    "from_file",
    "load",
    "pack_images",
    "read",
    "rounded",
    "run",
    "unpack_images",
]
