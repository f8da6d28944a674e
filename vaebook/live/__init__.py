"""Figures that run a model in the reader's browser, and widgets where there is a kernel."""

from vaebook.live.codebook import codebook
from vaebook.live.denoising import denoising
from vaebook.live.figures import (
    BetaRun,
    Twin,
    beta_dial,
    chains,
    draw_digit,
    draw_prior,
    elbo_bench,
    half_digit,
    heatmap_panel,
    heatmap_walk,
    latent_map,
    pipeline,
    shortest_ways,
    tails,
    trainer,
    twins,
)
from vaebook.live.handed import train_on_own
from vaebook.live.kernel import (
    WithKernel,
    chains_on_drawing,
    embed_again,
    evidence_of_drawing,
)
from vaebook.live.pack import pack
from vaebook.live.page import Live
from vaebook.live.refinement import refinement
from vaebook.live.retraining import (
    train_again,
    train_anchored,
    train_at_price,
    train_to_tell,
    train_with_prior,
)
from vaebook.live.simplex import simplex

__all__ = [
    "BetaRun",
    "Live",
    "Twin",
    "WithKernel",
    "beta_dial",
    "chains",
    "chains_on_drawing",
    "codebook",
    "denoising",
    "draw_digit",
    "draw_prior",
    "elbo_bench",
    "embed_again",
    "evidence_of_drawing",
    "half_digit",
    "heatmap_panel",
    "heatmap_walk",
    "latent_map",
    "pack",
    "pipeline",
    "refinement",
    "shortest_ways",
    "simplex",
    "tails",
    "train_again",
    "train_anchored",
    "train_at_price",
    "train_on_own",
    "train_to_tell",
    "train_with_prior",
    "trainer",
    "twins",
]
