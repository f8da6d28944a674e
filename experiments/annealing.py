"""Remedies for collapse and the phases of the KL, over three seeds, for the chapter on beta.

    VAEBOOK_DATA=... OMP_NUM_THREADS=1 python experiments/annealing.py

trains a 784-64-16 Bernoulli VAE on MNIST in five ways, at a constant rate, and writes
vaebook/tables/annealing.json: the KL at some sixty steps, and what the models are worth at
beta = 1.
"""

import argparse
import json
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaebook import datasets, objectives
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.training import fit

RESULTS = Path(__file__).parents[1] / "vaebook" / "tables" / "annealing.json"
LATENT_DIM, EPOCHS, SEEDS, BATCH, RATE = 16, 4, 3, 128, 1e-3
FREE_NATS, CYCLES = 0.5, 4
WAYS = {
    "none": "beta = 1 from the start",
    "mean image": "the same, the decoder's last bias set to the logit of the mean image",
    "linear": "beta rises from 0 to 1 over the first half",
    "cyclical": "four times: beta rises from 0 to 1 over half of the cycle, and stays",
    "free bits": "beta = 1, but the batch's mean KL of a latent costs nothing below 0.5 nats",
}


def schedule(way: str, progress: float) -> float:
    """Return beta after a share of the training."""
    if way == "linear":
        return min(1.0, 2 * progress)
    if way == "cyclical":
        return min(1.0, 2 * (progress * CYCLES % 1))
    return 1.0


def free_bits(
    model: VAE,
    batch: datasets.ImageSet,
    *,
    generator: torch.Generator | None = None,
    progress: float = 1.0,
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


def run(way: str, seed: int, train: datasets.ImageSet, test: datasets.ImageSet) -> dict[str, Any]:
    """Train one model and measure it."""
    torch.manual_seed(seed)
    encoder = MLPEncoder(2 * LATENT_DIM, (64,), initial="torch")
    decoder = MLPDecoder(LATENT_DIM, (64,), initial="torch")
    model = VAE(encoder, decoder, LATENT_DIM, Bernoulli())
    if way == "mean image":
        mean = train.images.mean(0).flatten().clamp(0.005, 0.995)
        with torch.no_grad():
            decoder.layers[-1].get_parameter("bias").copy_(mean.logit())
    total = EPOCHS * -(-len(train) // BATCH)
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
    keep = sorted({round(total ** (i / 79)) - 1 for i in range(80)} | set(range(0, total, 40)))
    codes = model.codes(test)
    assert codes.logvar is not None
    each = objectives.kl_per_latent(codes.mu, codes.logvar).mean(0)
    bound = bounds.elbo(model, test.images, 5, torch.Generator().manual_seed(0))
    kl = history.steps["kl"]
    return {
        "way": way,
        "seed": seed,
        "steps": keep,
        "kl": [round(kl[t], 3) for t in keep],
        "beta": [round(schedule(way, t / total), 4) for t in keep],
        "first_kl": round(kl[0], 4),
        "spike": round(max(kl[:60]), 4),
        "after_spike": round(min(kl[10:150]), 4),
        "elbo": round(bound.elbo.mean().item(), 3),
        "rate": round(bound.kl.mean().item(), 3),
        "kl_each": [round(value, 3) for value in sorted(each.tolist(), reverse=True)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--into", type=Path, default=RESULTS)
    options = parser.parse_args()
    train, _ = datasets.mnist(train=True).split(11 / 12, seed=0)
    test = datasets.mnist(train=False)
    runs = []
    for seed in range(options.seeds):
        for way in WAYS:
            runs.append(run(way, seed, train, test))
            print({k: v for k, v in runs[-1].items() if not isinstance(v, list)}, flush=True)
    results = {
        "ways": WAYS,
        "latent_dim": LATENT_DIM,
        "epochs": EPOCHS,
        "free_nats": FREE_NATS,
        "cycles": CYCLES,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "runs": runs,
    }
    options.into.write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
