"""Which units of the heatmap VAE's encoder stay alive, by the weights that training starts from.

    make experiment NAME=dead_units

A row is about the first 500 steps of a run like those of `heatmap-vae-optimal-*`, from torch's own
weights or from He's, with one seed: at the `steps`, how many units of each ReLU layer of the
encoder fire for at least one of 500 images, and the spread of the codes, the root of the sum of
the variances of their means. Seed 3 is that of the one run of the first edition that died; the
others are those of half of the book's models. The chapter on the manifold of the VAE reads it.
"""

from typing import Any

import torch

from vaebook import datasets, models, objectives
from vaebook.models import networks
from vaebook.tables import Experiment
from vaebook.training import Recorder, fit, one_cycle

STEPS = range(0, 501, 20)
EPOCHS, PART = 8, 0.2  # of the forty epochs of a run, of which these are a fifth
WATCHED = 500


def beginning(progress: float) -> float:
    """The learning rate's schedule of a whole run, in the part of it that is run here."""
    return one_cycle(PART * progress)


def row(initial: networks.Initial, seed: int) -> dict[str, Any]:
    """Train for the first epochs and look on."""
    train = datasets.heatmaps().split(0.8, seed=0)[0].split(11 / 12, seed=0)[0]
    torch.manual_seed(seed)
    encoder = networks.ConvEncoder(6, initial=initial)
    decoder = networks.ConvDecoder(3, hidden=32, initial=initial)
    model = models.VAE(encoder, decoder, 3, models.OptimalGaussian(0.5))
    watched = train[:WATCHED]

    def look(model: models.VAE) -> dict[str, Any]:
        units = networks.live_units(model.encoder, watched.images)
        spread = model.codes(watched).mu.var(0).sum().sqrt()
        return {"live": list(units.values()), "spread": spread.item()}

    recorder = Recorder(look, STEPS)
    fit(
        model,
        objectives.negative_elbo,
        train,
        epochs=EPOCHS,
        learning_rate=4e-3,
        schedule=beginning,
        seed=seed,
        observers=[recorder],
        progress=False,
    )
    seen = [recorder.values[step] for step in STEPS]
    return {
        "live": [value["live"] for value in seen],
        "spread": [float(f"{value['spread']:.3g}") for value in seen],
    }


dead_units = Experiment(
    "dead_units",
    row,
    {"initial": ["torch", "he"], "seed": [3, *range(22, 28)]},
    about={"steps": list(STEPS), "watched": WATCHED},
)
