"""What the remedies for collapse do to the KL, and what the models are worth in the end.

    make experiment NAME=annealing

A row is one training: a 784-64-16 VAE with Bernoulli pixels, on 55,000 images of MNIST, four
epochs at a constant rate. Five ways, three seeds of initial weights, batches and noise. It holds
the KL at some hundred steps, and on the 10,000 test images the ELBO at beta = 1 (five draws) and
the KL of each latent. The chapter on beta reads the table.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook import datasets, objectives
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.tables import Experiment
from vaebook.training import fit

LATENT_DIM, EPOCHS, SEEDS, BATCH, RATE = 16, 4, 3, 128, 1e-3
FREE_NATS, CYCLES = 0.5, 4
WAYS = {
    "none": "beta = 1 from the start",
    "mean image": "the same, the decoder's last bias set to the logit of the mean image",
    "linear": "beta rises from 0 to 1 over the first half",
    "cyclical": "four times: beta rises from 0 to 1 over half of the cycle, and stays",
    "free bits": "beta = 1, but the batch's mean KL of a latent costs nothing below 0.5 nats",
}


@cache
def images() -> tuple[ImageSet, ImageSet]:
    """Return training and test images."""
    train, _ = datasets.mnist(train=True).split(11 / 12, seed=0)
    return train, datasets.mnist(train=False)


def schedule(way: str, progress: float) -> float:
    """Return beta after a share of the training."""
    if way == "linear":
        return min(1.0, 2 * progress)
    if way == "cyclical":
        return min(1.0, 2 * (progress * CYCLES % 1))
    return 1.0


def free_bits(
    model: VAE, batch: ImageSet, *, generator: Generator | None = None, progress: float = 1.0
) -> dict[str, Tensor]:
    """The negative ELBO, in which the first nats of each latent cost nothing."""
    terms = objectives.negative_elbo(model, batch, generator=generator, progress=progress)
    each = objectives.kl_per_latent(*model.encode(batch.images)).mean(0)
    return terms | {"loss": terms["reconstruction"] + each.clamp_min(FREE_NATS).sum()}


def objective(way: str) -> Callable[..., dict[str, Tensor]]:
    """Return what is minimised."""
    if way == "free bits":
        return free_bits
    return partial(objectives.negative_elbo, beta=partial(schedule, way))


def start(way: str, seed: int, train: ImageSet) -> VAE:
    """Return the untrained model."""
    torch.manual_seed(seed)
    encoder = MLPEncoder(2 * LATENT_DIM, (64,), initial="torch")
    decoder = MLPDecoder(LATENT_DIM, (64,), initial="torch")
    if way == "mean image":
        # Pixels that are always black have an infinite logit.
        mean = train.images.mean(0).flatten().clamp(0.005, 0.995)
        with torch.no_grad():
            decoder.layers[-1].get_parameter("bias").copy_(mean.logit())
    return VAE(encoder, decoder, LATENT_DIM, Bernoulli())


def row(way: str, seed: int) -> dict[str, Any]:
    """Train one model and measure it."""
    train, test = images()
    model = start(way, seed, train)
    history = fit(
        model,
        objective(way),
        train,
        epochs=EPOCHS,
        batch_size=BATCH,
        learning_rate=RATE,
        seed=seed,
        progress=False,
    )
    kl = history.steps["kl"]
    total = len(kl)
    keep = sorted({round(total ** (i / 79)) - 1 for i in range(80)} | set(range(0, total, 40)))
    spike = max(range(60), key=kl.__getitem__)
    codes = model.codes(test)
    assert codes.logvar is not None
    each = objectives.kl_per_latent(codes.mu, codes.logvar).mean(0)
    bound = bounds.elbo(model, test.images, 5, Generator().manual_seed(0))
    return {
        "steps": keep,
        "kl": [round(kl[t], 3) for t in keep],
        "beta": [round(schedule(way, t / total), 4) for t in keep],
        "first_kl": round(kl[0], 4),
        "spike": round(kl[spike], 4),
        "after_spike": round(min(kl[spike:150]), 4),
        "elbo": round(bound.elbo.mean().item(), 3),
        "rate": round(bound.kl.mean().item(), 3),
        "kl_each": [round(value, 3) for value in sorted(each.tolist(), reverse=True)],
    }


annealing = Experiment(
    "annealing", row, {"way": list(WAYS), "seed": range(SEEDS)}, about={"ways": WAYS}
)
