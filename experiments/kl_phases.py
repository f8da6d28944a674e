"""The phases of the KL on MNIST over five seeds, for the chapter on training.

    VAEBOOK_DATA=... OMP_NUM_THREADS=1 python experiments/kl_phases.py

trains the network of the recipe mnist-mlp-8d for four epochs in four ways and writes
vaebook/tables/kl_phases.json: the KL and its three parts at some seventy steps of each run.
"""

import argparse
import json
import platform
from pathlib import Path

import torch
from torch import Tensor

from vaebook import datasets, objectives, recipes
from vaebook.models import VAE, Bernoulli, Gaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.training import fit, one_cycle

RESULTS = Path(__file__).parents[1] / "vaebook" / "tables" / "kl_phases.json"
LATENT_DIM, EPOCHS, SEEDS = 8, 4, 5
WAYS = {
    "recipe": "Bernoulli, one-cycle to 2e-3 over 30 epochs",
    "constant": "Bernoulli, constant rate 1e-3",
    "mean image": "as constant, the decoder's last bias set to the logit of the mean image",
    "gaussian": "Gaussian with variance 1/2, constant rate 1e-3",
}


def elbo_in_parts(
    model: VAE,
    batch: datasets.ImageSet,
    *,
    generator: torch.Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    r"""The ELBO, with the batch's mean KL taken apart.

    .. math:: \overline{\mathrm{KL}} = \underbrace{\tfrac12\|\bar\mu\|^2}_{\text{shift}}
        + \underbrace{\tfrac12\sum_j \operatorname{Var}(\mu_j)}_{\text{spread}}
        + \underbrace{\tfrac12\sum_j \overline{\lambda_j - 1 - \log\lambda_j}}_{\text{width}}
    """
    images = batch.images
    mu, logvar = model.encode(images)
    reconstruction = -model.log_prob(images, model.reparameterize(mu, logvar, generator))
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


def run(way: str, seed: int, train: datasets.ImageSet, epochs: int) -> dict[str, list[float]]:
    """Return the history of one run, per step."""
    likelihood = Gaussian(0.5) if way == "gaussian" else Bernoulli()
    torch.manual_seed(seed)
    encoder = MLPEncoder(2 * LATENT_DIM, initial="torch")
    model = VAE(encoder, MLPDecoder(LATENT_DIM, initial="torch"), LATENT_DIM, likelihood)
    if way == "mean image":
        # Pixels that are always black have an infinite logit.
        mean = train.images.mean(0).flatten().clamp(0.005, 0.995)
        with torch.no_grad():
            model.decoder.get_parameter("layers.4.bias").copy_(mean.logit())
    recipe = recipes.get("mnist-mlp-8d")

    def schedule(progress: float) -> float:
        """The recipe's, of whose epochs these are the first."""
        return one_cycle(progress * epochs / recipe.epochs)

    history = fit(
        model,
        elbo_in_parts,
        train,
        epochs=epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate if way == "recipe" else 1e-3,
        schedule=schedule if way == "recipe" else None,
        seed=seed,
        progress=False,
    )
    return history.steps


def largest_fall(values: list[float]) -> tuple[int, int]:
    """Return the pair of steps, earlier and later, between which values fall by most in ratio."""
    top, best = 0, (0, 0)
    for step, value in enumerate(values):
        top = step if value > values[top] else top
        if value / values[top] < values[best[1]] / values[best[0]]:
            best = (top, step)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--into", type=Path, default=RESULTS)
    options = parser.parse_args()
    train, _ = datasets.mnist(train=True).split(11 / 12, seed=0)
    total = options.epochs * -(-len(train) // 128)
    keep = sorted({round(total ** (i / 99)) - 1 for i in range(100)})
    runs = []
    for way in WAYS:
        for seed in range(options.seeds):
            steps = run(way, seed, train, options.epochs)
            kl = steps["kl"]
            spike, collapse = largest_fall(kl[:1500])
            named = {"start": 0, "spike": spike, "collapse": collapse, "end": total - 1}
            parts = ("loss", "kl", "shift", "spread", "width")
            runs.append(
                {
                    "way": way,
                    "seed": seed,
                    "steps": keep,
                    **{name: [round(steps[name][t], 3) for t in keep] for name in parts},
                    "phases": {
                        phase: {"step": t} | {name: round(steps[name][t], 4) for name in parts}
                        for phase, t in named.items()
                    },
                }
            )
            print(way, seed, runs[-1]["phases"], flush=True)
    results = {
        "ways": WAYS,
        "data": train.title,
        "images": len(train),
        "batch_size": 128,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "runs": runs,
    }
    options.into.write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
