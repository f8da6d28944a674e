"""The numbers by which the phases of the KL are decided, over twelve fresh seeds.

    make experiment NAME=phase_claims

A row is the first four epochs of a VAE with eight latents, 784-400-100-8, on 55,000 images of
MNIST, in one of three ways: a Bernoulli decoder at a constant rate, or with one cycle of it; or a
normal decoder of variance 1/2. The weights start as He has them or as torch has. What the numbers
are, and what they decide, stands in `vaebook/tables/claims.toml`.
"""

from functools import cache

import torch

from vaebook import datasets
from vaebook.datasets import ImageSet
from vaebook.models import VAE, Bernoulli, Gaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.objectives import negative_elbo
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

WAYS, STARTS, SEEDS = ("constant", "cycle", "gaussian"), ("he", "torch"), range(34, 46)
LATENT_DIM, EPOCHS = 8, 4
BEGIN, WINDOW = 1500, 25  # steps


@cache
def images() -> ImageSet:
    return datasets.mnist(train=True).split(11 / 12, seed=0)[0]


def largest_fall(values: list[float]) -> tuple[int, int]:
    """Return the pair of steps, earlier and later, between which values fall by most in ratio."""
    top, best = 0, (0, 0)
    for step, value in enumerate(values):
        top = step if value > values[top] else top
        if value / values[top] < values[best[1]] / values[best[0]]:
            best = (top, step)
    return best


def row(kind: str, seed: int) -> dict[str, float]:
    """Follow the KL, relative to where it ends."""
    way, start = kind.split("-")
    torch.manual_seed(seed)
    model = VAE(
        MLPEncoder(2 * LATENT_DIM, initial=start),  # type: ignore[arg-type]
        MLPDecoder(LATENT_DIM, initial=start),  # type: ignore[arg-type]
        LATENT_DIM,
        Gaussian(0.5) if way == "gaussian" else Bernoulli(),
    )
    history = fit(
        model,
        negative_elbo,
        images(),
        epochs=EPOCHS,
        learning_rate=2e-3 if way == "cycle" else 1e-3,
        schedule=one_cycle if way == "cycle" else None,
        seed=seed,
        progress=False,
    )
    kl = torch.tensor(history.steps["kl"])
    peak, low = largest_fall(kl[:BEGIN].tolist())
    smooth = kl.unfold(0, WINDOW, 1).mean(1)
    end, tenth = smooth[-1], len(kl) // 10
    rise = end - smooth[low]
    shares = {
        "first": kl[0] / end,
        "peak": kl[peak] / end,
        "epoch": kl[: len(kl) // EPOCHS].mean() / end,
        "low": kl[low] / end,
        "sharp": (smooth[low + tenth :] - smooth[low:-tenth]).amax() / rise,
        "late": (end - smooth[len(smooth) // 2]) / rise,
    }
    found = {name: float(f"{share.item():.6g}") for name, share in shares.items()}
    return found | {"peak_step": peak, "low_step": low}


phase_claims = Experiment(
    "phase_claims",
    row,
    {"kind": [f"{way}-{start}" for start in STARTS for way in WAYS], "seed": SEEDS},
)
