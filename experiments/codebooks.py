r"""Codebooks of VQ-VAEs on MNIST: what is used, what a code costs, what is drawn.

    make experiment NAME=codebooks

A VQ-VAE has four places of four dimensions, an encoder 784-128-16, a decoder 16-128-784 and the
commitment 0.25; it is trained on 20,000 images, in 1,500 steps of Adam, 100 images each, at the
rate 0.001. The codebook starts as uniform numbers within 1/K of zero, as in many public programs;
how that of the source started we don't know. It moves in one of four ways:

- `gradient`: by the second term of the loss;
- `own rate`: so too, at ten times the rate of the networks;
- `averages`: by moving averages of the codes that each vector takes, decay 0.99;
- `restarts`: so too, and every 50 steps of the first 1,200 a vector that took no code in the last
  50 is put on a code of the batch.

Ten seeds draw weights and batches; the images are the same. A row has, for 5,000 test images in
random order:

- `used`: vectors that take a code at any place, and `perplexity`, the effective number of vectors;
- `distortion`: the mean of -log p(x|z_q), nats;
- `rate`: the mean of -log p(k) in nats, under three priors: `uniform`, `independent` (a table for
  each place, from the counts of the training codes and one more for each vector) and
  `autoregressive` (a network that sees the places before, trained on the training codes; 800
  steps of 500 codes). Rate and distortion together are the negative ELBO of a q(z|x) that knows.

With 256 vectors there is no way `gradient`. Rows of the way `restarts` have the
Fréchet distance, in the classifier's features, of 5,000 draws of each prior to the other 5,000
test images; `floor` decodes the codes of the first 5,000, and `images` is these themselves.

What decides, written down before the run; the unit is a seed, and a form holds when the 95 %
t-interval of its difference lies on the side named, is refuted when it lies on the other:

A run with a sixth seed and 64 vectors, by gradient and with restarts, was seen before these forms;
it had all of those that are about 64 vectors and these two ways.

1. `used_16`, `used_64`: with restarts the perplexity is above that of the gradient's codebook by
   more than K/8.
2. `distortion_64`: with restarts the distortion is below the gradient's by more than 1 nat.
3. `averages_64`: averages alone have a perplexity above the gradient's by more than 8.
4. `rate_64`: of restarts, the rate of the autoregressive prior is below the uniform one by more
   than 1 nat, and `order_64`: below the independent one by more than 1 nat.
5. `larger`: of restarts, rate (autoregressive) and distortion together are smaller with 64 vectors
   than with 16, by more than 1 nat.
6. `uniform_worse_*`: the Fréchet distance of the uniform prior is above the autoregressive one's
   by more than 1, and `floor_*`: that of the autoregressive prior is above the floor by more than
   1.

All of these held with 16 and 64 vectors. `own rate` and 256 vectors were added after that, and a
restart no longer resets the count of the vector that is moved. What was written down before the
added rows were run; of the way `own rate`, the seeds 0 and 4 with 64 vectors had been seen:

7. `own_16`, `own_64`: the perplexity at the vectors' own rate is above the gradient's by more than
   K/8, and `own_distortion_64`: its distortion is below the gradient's by more than 1 nat.
8. `own_averages_64`: its distortion is above that of averages by more than 1 nat.
9. `restarts_256`: of 256 vectors, the perplexity with restarts is above that of averages by more
   than 8.
10. `larger_256`: of restarts, rate (autoregressive) and distortion together are smaller with 256
    vectors than with 64, by more than 1 nat; and forms 6 with 256 vectors.

All of this was known for the seeds 0 to 4 when five more were added, forms unchanged, and with
them the way `own rate` with 256 vectors, of which nothing had been seen:

11. `own_256`: of 256 vectors, the perplexity at the vectors' own rate is above that of averages by
    more than 8; `own_distortion_256`: its distortion is above that of restarts by more than 1 nat.

The chapter on discrete codes reads the table.
"""

import statistics
from functools import cache
from typing import Any

import torch
from scipy import stats
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from vaebook import datasets, objectives, recipes
from vaebook.datasets import ImageSet
from vaebook.measures import agreement
from vaebook.models import Bernoulli, codebooks
from vaebook.models.discrete import VQVAE
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.tables import Experiment

PLACES, DIM, WIDTH = 4, 4, 128
SIZES, SEEDS = (16, 64, 256), 10
WAYS = ("gradient", "own rate", "averages", "restarts")
TRAIN, STEPS, BATCH, RATE, FASTER = 20_000, 1500, 100, 0.001, 10
DECAY, PATIENCE, LAST_RESTART = 0.99, 50, 1200
PRIOR_STEPS, PRIOR_BATCH, DRAWS = 800, 500, 5000
PRIORS = ("uniform", "independent", "autoregressive")


@cache
def images(train: bool) -> ImageSet:
    """Return shuffled digits: 20,000 to train with, or all test images."""
    found = datasets.mnist(train=train)
    order = torch.randperm(len(found), generator=Generator().manual_seed(0))
    return found[order[: TRAIN if train else len(found)]]


@cache
def reference() -> tuple[Any, Tensor, Tensor]:
    """Return the classifier, and its features of both halves of the test images."""
    judge = recipes.load("mnist-classifier").model
    first, second = judge.features(images(train=False).images).split(DRAWS)
    return judge, first, second


def trained(size: int, way: str, seed: int) -> VQVAE:
    """Train a VQ-VAE whose codebook moves in one of four ways."""
    torch.manual_seed(seed)
    networks = MLPEncoder(PLACES * DIM, (WIDTH,)), MLPDecoder(PLACES * DIM, (WIDTH,))
    vectors = (2 * torch.rand(size, DIM) - 1) / size
    model = VQVAE(*networks, vectors, PLACES, Bernoulli())
    by_gradient = way in ("gradient", "own rate")
    model.codebook.requires_grad_(by_gradient)
    generator = Generator().manual_seed(seed)
    parts = [*model.encoder.parameters(), *model.decoder.parameters()]
    own = RATE * (FASTER if way == "own rate" else 1)
    groups: list[dict[str, Any]] = [
        {"params": parts},
        {"params": [model.codebook], "lr": own},
    ]
    optimizer = torch.optim.Adam(groups, lr=RATE)
    counts = torch.ones(size)
    taken = torch.zeros(size, dtype=torch.long)
    for step in range(1, STEPS + 1):
        batch = images(train=True)[torch.randint(TRAIN, (BATCH,), generator=generator)]
        optimizer.zero_grad()
        objectives.quantized(model, batch)["loss"].mean().backward()
        optimizer.step()
        if by_gradient:
            continue
        with torch.no_grad():
            z = model.encode(batch.images).view(-1, DIM)
            taken += codebooks.nearest(z, model.codebook).bincount(minlength=size)
            moved, counts = codebooks.ema_update(z, model.codebook, counts, DECAY)
            if way == "restarts" and step % PATIENCE == 0 and step <= LAST_RESTART:
                moved = codebooks.restart(z, moved, taken > 0, generator)
                taken.zero_()
            model.codebook.copy_(moved)
    return model


class Autoregressive(nn.Module):
    """Log-probabilities of the vector at each place, given those at the places before it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.first = nn.ModuleList(nn.Linear(max(1, j) * size, WIDTH) for j in range(PLACES))
        self.last = nn.ModuleList(nn.Linear(WIDTH, size) for _ in range(PLACES))

    def place(self, before: Tensor, j: int) -> Tensor:
        """Return log-probabilities at place j, [N, K], from the indices before it, [N, j]."""
        seen = F.one_hot(before, self.size).flatten(1).float()
        if j == 0:
            seen = torch.zeros(len(before), self.size)
        return self.last[j](self.first[j](seen).relu()).log_softmax(1)

    def log_prob(self, indices: Tensor) -> Tensor:
        """Return the log-probability of all places, [N]."""
        parts = [
            self.place(indices[:, :j], j).gather(1, indices[:, j, None]) for j in range(PLACES)
        ]
        return torch.cat(parts, 1).sum(1)

    def sample(self, n: int, generator: Generator) -> Tensor:
        found = torch.zeros(n, 0, dtype=torch.long)
        for j in range(PLACES):
            p = self.place(found, j).exp()
            found = torch.cat([found, torch.multinomial(p, 1, generator=generator)], 1)
        return found


def autoregressive(indices: Tensor, size: int, seed: int) -> Autoregressive:
    torch.manual_seed(seed)
    prior, generator = Autoregressive(size), Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.003)
    for step in range(PRIOR_STEPS):
        optimizer.param_groups[0]["lr"] = 0.003 * (1 - step / PRIOR_STEPS)
        batch = indices[torch.randint(len(indices), (PRIOR_BATCH,), generator=generator)]
        optimizer.zero_grad()
        (-prior.log_prob(batch).mean()).backward()
        optimizer.step()
    return prior.requires_grad_(False)


def row(size: int, way: str, seed: int) -> dict[str, Any]:
    """Train a model and its priors, and measure them on test images."""
    model = trained(size, way, seed).requires_grad_(False)
    pixels = images(train=False).images[:DRAWS]
    known, fresh = model.indices(images(train=True).images), model.indices(pixels)
    usage = fresh.flatten().bincount(minlength=size).float()
    tables = torch.stack([k.bincount(minlength=size) + 1.0 for k in known.T])
    tables = tables / tables.sum(1, keepdim=True)
    learned = autoregressive(known, size, seed)
    codes = model.embed(fresh)
    distortion = -model.likelihood.log_prob(model.outputs(codes), pixels)
    at_place = tables.log().gather(1, fresh.T)
    found: dict[str, Any] = {
        "used": int((usage > 0).sum()),
        "perplexity": codebooks.perplexity(usage).item(),
        "distortion": distortion.mean().item(),
        "rate": {
            "uniform": PLACES * torch.tensor(float(size)).log().item(),
            "independent": -at_place.sum(0).mean().item(),
            "autoregressive": -learned.log_prob(fresh).mean().item(),
        },
    }
    if way == "restarts":
        judge, first, second = reference()
        generator = Generator().manual_seed(seed)
        drawn = {
            "uniform": torch.randint(size, (DRAWS, PLACES), generator=generator),
            "independent": torch.multinomial(tables, DRAWS, True, generator=generator).T,
            "autoregressive": learned.sample(DRAWS, generator),
            "floor": fresh,
        }

        def distance(indices: Tensor) -> float:
            parts = [judge.features(model.decode(model.embed(n))) for n in indices.split(1000)]
            return agreement.frechet_distance(torch.cat(parts), second)

        found["frechet"] = {name: distance(indices) for name, indices in drawn.items()}
        found["frechet"]["images"] = agreement.frechet_distance(first, second)
    return found


def between(values: list[float]) -> list[float]:
    """Return the 95 % t-interval of the mean."""
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    mean = statistics.mean(values)
    return [mean - half, mean + half]


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the intervals that decide."""

    def of(size: int, way: str) -> list[dict[str, Any]]:
        found = [r for r in rows if (r["size"], r["way"]) == (size, way)]
        return sorted(found, key=lambda r: r["seed"])

    def minus(first: list[float], second: list[float]) -> list[float]:
        return between([a - b for a, b in zip(first, second, strict=True)])

    def rates(size: int, prior: str) -> list[float]:
        return [r["rate"][prior] for r in of(size, "restarts")]

    def frechet(size: int, name: str) -> list[float]:
        return [r["frechet"][name] for r in of(size, "restarts")]

    def values(size: int, way: str, key: str) -> list[float]:
        return [r[key] for r in of(size, way)]

    def differ(size: int, first: str, second: str, key: str) -> list[float]:
        return minus(values(size, first, key), values(size, second, key))

    def total(size: int) -> list[float]:
        parts = rates(size, "autoregressive"), values(size, "restarts", "distortion")
        return [rate + distortion for rate, distortion in zip(*parts, strict=True)]

    found = {
        "distortion_64": differ(64, "gradient", "restarts", "distortion"),
        "averages_64": differ(64, "averages", "gradient", "perplexity"),
        "rate_64": minus(rates(64, "uniform"), rates(64, "autoregressive")),
        "order_64": minus(rates(64, "independent"), rates(64, "autoregressive")),
        "larger": minus(total(16), total(64)),
        "own_distortion_64": differ(64, "gradient", "own rate", "distortion"),
        "own_averages_64": differ(64, "own rate", "averages", "distortion"),
        "restarts_256": differ(256, "restarts", "averages", "perplexity"),
        "own_256": differ(256, "own rate", "averages", "perplexity"),
        "own_distortion_256": differ(256, "own rate", "restarts", "distortion"),
        "larger_256": minus(total(64), total(256)),
    }
    for k in (16, 64):
        found[f"used_{k}"] = differ(k, "restarts", "gradient", "perplexity")
        found[f"own_{k}"] = differ(k, "own rate", "gradient", "perplexity")
    for k in SIZES:
        found[f"uniform_worse_{k}"] = minus(frechet(k, "uniform"), frechet(k, "autoregressive"))
        found[f"floor_{k}"] = minus(frechet(k, "autoregressive"), frechet(k, "floor"))
    return found


codebooks_study = Experiment(
    "codebooks",
    row,
    [
        {"size": size, "way": way, "seed": seed}
        for size in SIZES
        for way in (WAYS if size < 256 else WAYS[1:])
        for seed in range(SEEDS)
    ],
    about={"sizes": [*SIZES], "ways": [*WAYS], "priors": [*PRIORS], "places": PLACES},
    summarize=summarize,
)
