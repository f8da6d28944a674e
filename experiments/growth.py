"""What VAEs draw while they learn, always from the same codes.

    make experiment NAME=growth

A row is a short training of a recipe of MNIST, six epochs with one cycle of the rate. After some
steps, the first ones close together, it decodes the same twenty draws of N(0, I), and keeps what
came out. The chapter on training reads the table.
"""

from typing import Any

import torch
from torch import Generator

from vaebook import recipes, tables
from vaebook.tables import Experiment
from vaebook.training import Recorder, fit

RECIPES = ("mnist-mlp-2d", "mnist-mlp-8d", "mnist-mlp-20d")
DRAWS, EPOCHS = 20, 6
STEPS = (0, 20, 40, 80, 160, 300, 430, 860, 1720, 2580)


def row(recipe: str) -> dict[str, Any]:
    """Train a recipe and return what it draws on the way, [step, draw, 1, 28, 28]."""
    found = recipes.get(recipe)
    train, _ = found.sets()[0].split(11 / 12, seed=0)
    model = found.start()
    z = torch.randn(DRAWS, model.latent_dim, generator=Generator().manual_seed(0))
    film = Recorder(lambda m: m.decode(z).detach(), STEPS)
    fit(
        model,
        found.objective,
        train,
        epochs=EPOCHS,
        batch_size=found.batch_size,
        learning_rate=found.learning_rate,
        schedule=found.schedule,
        seed=found.seed,
        observers=[film],
        progress=False,
    )
    pictures = torch.stack([film.values[step] for step in STEPS])
    return {"pictures": tables.pack_images(pictures)}


def recipe_used(recipe: str) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.get(recipe).fingerprint]


growth = Experiment(
    "growth",
    row,
    {"recipe": RECIPES},
    uses=recipe_used,
    about={"steps": list(STEPS), "draws": DRAWS, "epochs": EPOCHS},
)
