"""Plotly figures from arrays and tensors, in one dress, alive on the page and in JupyterLab."""

from vaebook.figures.notes import Note, stand_in_note
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
from vaebook.figures.renderer import CATEGORICAL, Figure, describe

__all__ = [
    "CATEGORICAL",
    "Figure",
    "Note",
    "curves",
    "describe",
    "film_strip",
    "heatmap",
    "image_grid",
    "manifold",
    "scatter",
    "slider",
    "stand_in_note",
    "violins",
]
