"""Plotly figures from arrays and tensors, in one dress, alive on the page and in JupyterLab."""

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
    "curves",
    "describe",
    "film_strip",
    "heatmap",
    "image_grid",
    "manifold",
    "scatter",
    "slider",
    "violins",
]
