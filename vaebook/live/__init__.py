"""Figures that run a model in the reader's browser, without a kernel."""

from vaebook.live.figures import (
    BetaRun,
    Twin,
    beta_dial,
    chains,
    draw_digit,
    elbo_bench,
    heatmap_panel,
    latent_map,
    pipeline,
    trainer,
    twins,
)
from vaebook.live.pack import pack
from vaebook.live.page import Live

__all__ = [
    "BetaRun",
    "Live",
    "Twin",
    "beta_dial",
    "chains",
    "draw_digit",
    "elbo_bench",
    "heatmap_panel",
    "latent_map",
    "pack",
    "pipeline",
    "trainer",
    "twins",
]
