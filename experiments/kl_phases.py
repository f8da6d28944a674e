"""The phases of the KL at the beginning of training.

    make experiment NAME=kl_phases

A row is one training: the network of the recipe `mnist-mlp-8d` on 55,000 images of MNIST, the
first four epochs. Five ways, five seeds of initial weights, batches and noise. It holds the loss,
the KL and the KL's three parts at some eighty steps, and at four moments: start, spike, collapse
and end. Spike and collapse are the two steps of the first 1,500 between which the KL falls by most
in ratio. The chapter on training reads the table.
"""

from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook import datasets, objectives, recipes
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Bernoulli, Gaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

RECIPE, LATENT_DIM, EPOCHS, SEEDS, RATE = "mnist-mlp-8d", 8, 4, 5, 1e-3
PARTS = ("loss", "kl", "shift", "spread", "width")
WAYS = {
    "recipe": "Bernoulli, one-cycle to 2e-3 over 30 epochs",
    "constant": "Bernoulli, constant rate 1e-3",
    "mean image": "as constant, the decoder's last bias set to the logit of the mean image",
    "gaussian": "Gaussian with variance 1/2, constant rate 1e-3",
    "negatives": "as gaussian, on the negatives of the images, black on white",
}


@cache
def images(negative: bool = False) -> ImageSet:
    """Return the training images, white on black as they are or black on white."""
    train = datasets.mnist(train=True).split(11 / 12, seed=0)[0]
    return train.with_images(1 - train.images) if negative else train


def elbo_in_parts(
    model: VAE, batch: ImageSet, *, generator: Generator | None = None, progress: float = 1.0
) -> dict[str, Tensor]:
    r"""The ELBO, with the batch's mean KL taken apart.

    .. math:: \overline{\mathrm{KL}} = \underbrace{\tfrac12\|\bar\mu\|^2}_{\text{shift}}
        + \underbrace{\tfrac12\sum_j \operatorname{Var}(\mu_j)}_{\text{spread}}
        + \underbrace{\tfrac12\sum_j \overline{\lambda_j - 1 - \log\lambda_j}}_{\text{width}}
    """
    mu, logvar = model.encode(batch.images)
    reconstruction = -model.log_prob(batch.images, model.reparameterize(mu, logvar, generator))
    kl = objectives.kl_divergence(mu, logvar)
    centre = mu.detach().mean(0)
    return {
        "loss": reconstruction + kl,
        "reconstruction": reconstruction,
        "kl": kl,
        "shift": 0.5 * centre.square().sum().expand(len(mu)),
        "spread": 0.5 * (mu.detach() - centre).square().sum(1),
        "width": 0.5 * (torch.expm1(logvar.detach()) - logvar.detach()).sum(1),
    }


def start(way: str, seed: int) -> VAE:
    """Return the untrained model."""
    torch.manual_seed(seed)
    encoder = MLPEncoder(2 * LATENT_DIM, initial="torch")
    decoder = MLPDecoder(LATENT_DIM, initial="torch")
    if way == "mean image":
        # Pixels that are always black have an infinite logit.
        mean = images().images.mean(0).flatten().clamp(0.005, 0.995)
        with torch.no_grad():
            decoder.layers[-1].get_parameter("bias").copy_(mean.logit())
    likelihood = Gaussian(0.5) if way in ("gaussian", "negatives") else Bernoulli()
    return VAE(encoder, decoder, LATENT_DIM, likelihood)


def largest_fall(values: list[float]) -> tuple[int, int]:
    """Return the pair of steps, earlier and later, between which values fall by most in ratio."""
    top, best = 0, (0, 0)
    for step, value in enumerate(values):
        top = step if value > values[top] else top
        if value / values[top] < values[best[1]] / values[best[0]]:
            best = (top, step)
    return best


def row(way: str, seed: int) -> dict[str, Any]:
    """Train one model and return its history."""
    recipe = recipes.get(RECIPE)

    def schedule(progress: float) -> float:
        """The recipe's, of whose epochs these are the first."""
        return one_cycle(progress * EPOCHS / recipe.epochs)

    steps = fit(
        start(way, seed),
        elbo_in_parts,
        images(way == "negatives"),
        epochs=EPOCHS,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate if way == "recipe" else RATE,
        schedule=schedule if way == "recipe" else None,
        seed=seed,
        progress=False,
    ).steps
    total = len(steps["kl"])
    keep = sorted({round(total ** (i / 99)) - 1 for i in range(100)})
    spike, collapse = largest_fall(steps["kl"][:1500])
    moments = {"start": 0, "spike": spike, "collapse": collapse, "end": total - 1}
    return {
        "steps": keep,
        **{part: [round(steps[part][t], 3) for t in keep] for part in PARTS},
        "phases": {
            moment: {"step": t} | {part: round(steps[part][t], 4) for part in PARTS}
            for moment, t in moments.items()
        },
    }


def recipe_used(way: str, seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.get(RECIPE).fingerprint]


kl_phases = Experiment(
    "kl_phases",
    row,
    {"way": list(WAYS), "seed": range(SEEDS)},
    uses=recipe_used,
    about={"ways": WAYS},
)
