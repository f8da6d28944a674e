"""Figures that run a model in the reader's browser, without a kernel."""

from vaebook.live.figures import (
    BetaRun,
    Live,
    Twin,
    beta_dial,
    chains,
    draw_digit,
    elbo_bench,
    latent_map,
    pack,
    twins,
)

__all__ = [
    "BetaRun",
    "Live",
    "Twin",
    "beta_dial",
    "chains",
    "draw_digit",
    "elbo_bench",
    "latent_map",
    "pack",
    "twins",
]
