"""Time an epoch of `fit` beside Pythae's trainer, a loop of PyTorch's examples and a bare loop.

    python benchmarks/training.py --threads 2 --rounds 5

All train the 784-400-100-2 VAE on MNIST's 60,000 images, batches of 128, Adam at 1e-3, Bernoulli
pixels, in processes of their own that take turns: one epoch each a round, after two to warm up
(denormals appear after some 800 steps). What is printed is each one's median and its ratio to
`fit`, in seconds by the clock and in seconds of processor time, which a busy machine disturbs
less; and the last epoch's loss, which shows that all of them did the same.

Pythae is not among the book's requirements. It is left out unless it can be imported:

    pip install --no-deps --target peers pythae pydantic pydantic-core annotated-types \
        typing-inspection imageio
    PYTHONPATH=peers python benchmarks/training.py
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCH = 128
RATE = 1e-3


class Turn:
    """One epoch between `begin`, which waits for the other contestants, and `end`."""

    def begin(self) -> None:
        if not sys.stdin.readline():
            sys.exit()
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def end(self, loss: float) -> None:
        wall, processor = time.perf_counter() - self.wall, time.process_time() - self.processor
        print(wall, processor, loss, flush=True)


# ---------------------------------------------------------------------------------------------
# vaebook, and the same ingredients in a bare loop


def _vae() -> Any:
    from vaebook.models import VAE, Bernoulli
    from vaebook.models.networks import MLPDecoder, MLPEncoder

    return VAE(MLPEncoder(4, initial="torch"), MLPDecoder(2, initial="torch"), 2, Bernoulli())


def fit_of_vaebook(turn: Turn, epochs: int) -> None:
    """With all that it does: checks, history, progress bar, a checkpoint per epoch."""
    from vaebook import datasets, objectives
    from vaebook.training import fit

    images = datasets.mnist()
    steps = -(-len(images) // BATCH)
    losses: list[float] = []

    def objective(model: Any, batch: datasets.ImageSet, **settings: Any) -> dict[str, Tensor]:
        terms = objectives.negative_elbo(model, batch, **settings)
        losses.append(terms["loss"].mean().item())
        return terms

    def take_turns(step: int, model: nn.Module) -> None:
        if step and step % steps == 0:  # the checkpoint of this epoch counts for the next turn
            turn.end(statistics.mean(losses[-steps:]))
            turn.begin()

    turn.begin()
    with tempfile.TemporaryDirectory() as folder:
        fit(
            _vae(),
            objective,
            images,
            epochs=epochs,
            batch_size=BATCH,
            learning_rate=RATE,
            checkpoint=Path(folder) / "checkpoint",
            observers=[take_turns],
        )


def bare_loop(turn: Turn, epochs: int) -> None:
    """The same networks, loss, fused Adam, resident data, denormals flushed, and nothing else."""
    from vaebook import datasets

    torch.set_flush_denormal(True)
    images = datasets.mnist().images
    model = _vae()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        turn.begin()
        total = 0.0
        for index in torch.randperm(len(images), generator=generator).split(BATCH):
            pixels = images[index].flatten(1)
            mu, logvar = model.encoder.layers(pixels).chunk(2, dim=1)
            noise = torch.randn(mu.shape, generator=generator)
            logits = model.decoder.layers(torch.addcmul(mu, (0.5 * logvar).exp(), noise))
            log_p = torch.linalg.vecdot(logits, pixels) - F.softplus(logits).sum(1)
            kl = 0.5 * (mu.square() + torch.expm1(logvar) - logvar).sum(1)
            loss = (kl - log_p).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        turn.end(total / len(images))


# ---------------------------------------------------------------------------------------------
# The loop of the kind that PyTorch's examples have


class PlainVAE(nn.Module):
    """The network as people write it: sigmoid in the decoder, cross-entropy on its output."""

    def __init__(self, latents: int = 2) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 100), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(100, latents), nn.Linear(100, latents)
        self.decoder = nn.Sequential(
            nn.Linear(latents, 100),
            nn.ReLU(),
            nn.Linear(100, 400),
            nn.ReLU(),
            nn.Linear(400, 784),
            nn.Sigmoid(),
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.trunk(pixels)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decoder(z), mean, log_variance


def loop_of_the_examples(turn: Turn, epochs: int, latents: int = 2) -> PlainVAE:
    """torchvision's set with ToTensor an image, a DataLoader, plain Adam."""
    from vaebook import datasets
    from vaebook.datasets import downloads

    torchvision = downloads._import_torchvision_datasets()
    from torchvision import transforms

    root = datasets.fetch("MNIST")[0].parents[2]
    images = torchvision.MNIST(root, train=True, transform=transforms.ToTensor())
    loader = torch.utils.data.DataLoader(images, batch_size=BATCH, shuffle=True)
    model = PlainVAE(latents)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(epochs):
        turn.begin()
        total = 0.0
        for batch, _ in loader:
            pixels = batch.view(-1, 784)
            optimizer.zero_grad()
            decoded, mean, log_variance = model(pixels)
            cross_entropy = F.binary_cross_entropy(decoded, pixels, reduction="sum")
            kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
            loss = (cross_entropy + kl) / len(batch)  # the mean, so that the step is the others'
            loss.backward()
            total += loss.item() * len(batch)
            optimizer.step()
        turn.end(total / len(images))
    return model


# ---------------------------------------------------------------------------------------------
# Pythae


def trainer_of_pythae(
    turn: Turn, epochs: int, latents: int = 2, rate: float = RATE, batch: int = BATCH
) -> PlainVAE:
    """Its VAE around the same network, its BaseTrainer; only `train_step` is timed."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    from vaebook import datasets

    plain = PlainVAE(latents)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.mean, self.log = plain.trunk, plain.mean, plain.log_variance

        def forward(self, images: Tensor) -> ModelOutput:
            hidden = self.trunk(images.flatten(1))
            return ModelOutput(embedding=self.mean(hidden), log_covariance=self.log(hidden))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = plain.decoder

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).unflatten(1, (1, 28, 28)))

    class Trainer(BaseTrainer):
        def train_step(self, epoch: int) -> float:
            turn.begin()
            loss = super().train_step(epoch)
            turn.end(float(loss))
            return loss

    images = datasets.mnist()
    model = VAE(
        VAEConfig(input_dim=(1, 28, 28), latent_dim=latents, reconstruction_loss="bce"),
        encoder=Encoder(),
        decoder=Decoder(),
    )
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            learning_rate=rate,
            per_device_train_batch_size=batch,
            optimizer_cls="Adam",
            no_cuda=True,
        )
        Trainer(model, BaseDataset(images.images, images.labels), training_config=config).train()
    return plain


# ---------------------------------------------------------------------------------------------

CONTESTANTS: dict[str, Callable[[Turn, int], Any]] = {
    "fit": fit_of_vaebook,
    "bare loop": bare_loop,
    "Pythae": trainer_of_pythae,
    "DataLoader loop": loop_of_the_examples,
}


def contest(names: list[str], threads: int, rounds: int) -> None:
    """Let the contestants take turns, and print what they took."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    warm_up = 2
    processes = {
        name: subprocess.Popen(
            [sys.executable, __file__, "--contestant", name, "--rounds", str(warm_up + rounds)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for name in names
    }
    taken: dict[str, list[list[float]]] = {name: [] for name in names}
    for turn in range(warm_up + rounds):
        for name, process in processes.items():
            _write(process.stdin, "\n")
            line = _read(process.stdout, name)
            taken[name].append(line)
            print(f"round {turn:2}  {name:<16}{line[0]:8.2f} s", file=sys.stderr)
    for process in processes.values():
        process.communicate()

    medians = {
        name: [statistics.median(column) for column in zip(*lines[warm_up:], strict=True)]
        for name, lines in taken.items()
    }
    print(f"{threads} threads, median of {rounds} epochs after {warm_up}; ratios to fit")
    print(f"{'':<16}{'clock':>10}{'ratio':>8}{'processor':>13}{'ratio':>8}{'last loss':>12}")
    for name, (wall, processor, _) in medians.items():
        ratios = wall / medians["fit"][0], processor / medians["fit"][1]
        loss = taken[name][-1][2]
        print(
            f"{name:<16}{wall:>8.2f} s{ratios[0]:>8.2f}{processor:>11.2f} s{ratios[1]:>8.2f}"
            f"{loss:>12.2f}"
        )


def _write(stream: IO[str] | None, text: str) -> None:
    assert stream is not None
    stream.write(text)
    stream.flush()


def _read(stream: IO[str] | None, name: str) -> list[float]:
    assert stream is not None
    line = stream.readline()
    if not line:
        sys.exit(f"{name} stopped; run it alone to see why: --contestant {name!r} < /dev/zero")
    return [float(value) for value in line.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        torch.manual_seed(0)
        CONTESTANTS[options.contestant](Turn(), options.rounds)
        return
    names = list(CONTESTANTS)
    if importlib.util.find_spec("pythae") is None:
        names.remove("Pythae")
        print("Pythae is not installed: see the head of this file", file=sys.stderr)
    contest(names, options.threads, options.rounds)


if __name__ == "__main__":
    main()
