"""Time until `fit` has the bound of Pythae's trainer and of a loop of PyTorch's examples.

    PYTHONPATH=.:peers python benchmarks/bound.py --jobs 2

784-400-100-D VAEs, D = 2 and 20, on MNIST's 60,000 grey images, Bernoulli pixels. What is to be
reached is the ELBO of the binarised test images, ten draws each, after 50 epochs of Pythae's
`BaseTrainer` as it is configured by default, and after 20 of the loop, batches of 128, Adam at
1e-3. `fit` trains at its defaults, and once more by `one_cycle`, whose peak and epochs were chosen
on 5,000 images held out of the training set, with a seed that is not used here; its bound is
looked at after each epoch. Seconds are those of the training alone, by the clock and of the
processor; one thread each.

A run that was stopped goes on from the rows that it has. How to get Pythae is said in
`training.py`.
"""

import argparse
import math
import statistics
import time
from functools import partial
from itertools import product
from typing import Any

import torch
from pythae.trainers import BaseTrainerConfig
from torch import Generator, nn

from benchmarks.training import PlainVAE, Turn, loop_of_the_examples, trainer_of_pythae
from vaebook import datasets, objectives, tables
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.training import fit, one_cycle

DIMS, SEEDS = (2, 20), range(3)
EPOCHS = {"Pythae": 50, "DataLoader loop": 20}
WAYS: dict[str, dict[str, Any]] = {
    "fit": {"epochs": 20},
    "fit, one cycle": {"epochs": 10, "learning_rate": 5e-3, "schedule": one_cycle},
}
ABOUT = EPOCHS | {
    way: settings | {"schedule": getattr(settings.get("schedule"), "__name__", None)}
    for way, settings in WAYS.items()
}


class Clock(Turn):
    """Adds up what epochs take, and waits for nobody."""

    def __init__(self) -> None:
        self.taken = [0.0, 0.0]
        self.begin()

    def begin(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def end(self, loss: float) -> None:
        self.taken[0] += time.perf_counter() - self.wall
        self.taken[1] += time.process_time() - self.processor


def vae(latents: int) -> VAE:
    return VAE(MLPEncoder(2 * latents), MLPDecoder(latents), latents, Bernoulli())


def as_vae(plain: PlainVAE) -> VAE:
    """The package's VAE with the weights of a network as people write it."""
    model = vae(plain.mean.out_features)
    halves = zip(plain.mean.parameters(), plain.log_variance.parameters(), strict=True)
    theirs = [*plain.trunk.parameters(), *map(torch.cat, halves), *plain.decoder.parameters()]
    for own, their in zip(model.parameters(), theirs, strict=True):
        own.data.copy_(their)
    return model


def bound(model: VAE) -> float:
    images = datasets.mnist(train=False).images
    binary = datasets.binarize(images, Generator().manual_seed(0))
    return bounds.elbo(model, binary, 10, Generator().manual_seed(1)).elbo.mean().item()


def of_fit(latents: int, seed: int, settings: dict[str, Any]) -> list[list[float]]:
    """Seconds by the clock and of the processor, and the bound, after each epoch."""
    torch.manual_seed(seed)
    images, clock, found = datasets.mnist(), Clock(), []
    steps = -(-len(images) // 128)
    model = vae(latents)

    def look(step: int, _: nn.Module) -> None:
        if step and step % steps == 0:
            clock.end(0.0)
            found.append([*clock.taken, bound(model)])
            clock.begin()

    fit(
        model,
        objectives.negative_elbo,
        images,
        seed=seed,
        observers=[look],
        progress=False,
        **settings,
    )
    return found


def row(latents: int, seed: int) -> dict[str, Any]:
    defaults = BaseTrainerConfig()
    rate, batch = defaults.learning_rate, defaults.per_device_train_batch_size
    trainers = {
        "Pythae": partial(trainer_of_pythae, latents=latents, rate=rate, batch=batch),
        "DataLoader loop": partial(loop_of_the_examples, latents=latents),
    }
    found: dict[str, Any] = {}
    for name, train in trainers.items():
        torch.manual_seed(seed)
        clock = Clock()
        plain = train(clock, EPOCHS[name])
        found[name] = [*clock.taken, bound(as_vae(plain))]
    return found | {way: of_fit(latents, seed, settings) for way, settings in WAYS.items()}


def report(rows: list[dict[str, Any]]) -> None:
    for goal, latents, way in product(EPOCHS, DIMS, WAYS):
        shares, words = [], []
        for found in (r for r in rows if r["latents"] == latents):
            clock, processor, elbo = found[goal]
            words.append(f"{elbo:.2f} in {processor:.0f} s")
            reached = [(n, e) for n, e in enumerate(found[way], 1) if e[2] >= elbo]
            if reached:
                epochs, (own_clock, own_processor, _) = reached[0]
                words[-1] += f", {way} {own_processor:.0f} s ({epochs} epochs)"
                shares.append([own_clock / clock, own_processor / processor])
            else:
                words[-1] += f", {way} not in {len(found[way])} epochs: {found[way][-1][2]:.2f}"
                shares.append([math.inf, math.inf])
        if not shares:
            continue
        print(f"{goal}, {latents}-D: " + "; ".join(words))
        for name, column in zip(("clock", "processor"), zip(*shares, strict=True), strict=True):
            each = ", ".join(f"{share:.2f}" for share in column)
            print(f"    share by the {name}: {statistics.median(column):.2f} ({each})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    points = [{"latents": latents, "seed": seed} for seed in SEEDS for latents in DIMS]
    study = tables.Experiment("bound", row, points, about=ABOUT)
    report(tables.run(study, "_build/benchmarks", n_jobs=options.jobs).rows)


if __name__ == "__main__":
    main()
