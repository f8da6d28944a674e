"""Figures, tables and numbers in one dress, alive on the page and in JupyterLab."""

from vaebook.figures import schematics
from vaebook.figures.drawing import Drawing
from vaebook.figures.many import class_violins, film, on_phone, pairs, parallel, stacked
from vaebook.figures.notes import Note, stand_in_note
from vaebook.figures.numbers import between, number, ranged
from vaebook.figures.places import spread_out
from vaebook.figures.plots import (
    curves,
    film_strip,
    heatmap,
    image_grid,
    manifold,
    scatter,
    slider,
    violins,
)
from vaebook.figures.renderer import CATEGORICAL, SEQUENTIAL, Figure, describe
from vaebook.figures.tables import Table, table

__all__ = [
    "CATEGORICAL",
    "SEQUENTIAL",
    "Drawing",
    "Figure",
    "Note",
    "Table",
    "between",
    "class_violins",
    "curves",
    "describe",
    "film",
    "film_strip",
    "heatmap",
    "image_grid",
    "manifold",
    "number",
    "on_phone",
    "pairs",
    "parallel",
    "ranged",
    "scatter",
    "schematics",
    "slider",
    "spread_out",
    "stacked",
    "stand_in_note",
    "table",
    "violins",
]
