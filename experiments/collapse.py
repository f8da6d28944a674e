r"""Latents that die beside a strong decoder: at which price, and which schedule saves them.

    make experiment NAME=collapse

A row is five trainings, seeds 0 to 4 side by side, of a VAE of MNIST at 12 x 12 binary pixels:
16,000 training images, an encoder 144-64-16 with ReLU and a decoder 8-48-144 with leaky ReLU,
whose units cannot die, from torch's own weights. The decoder's logits are joined by those of a
linear autoregressive part, which sees the pixels before each in reading order, and can model the
images without any code, as the decoder of Bowman et al. (2016) can. But for two controls every
run starts from a decoder that was trained alone, to its optimum, beside an encoder and a layer of
the code that know nothing. It has 1,000 steps of Adam at a constant rate, 64 images each, and
ends at its `price` beta. Its `way`:

- `constant`: the price from the start;
- `linear`: it rises from 0 over the first half (Bowman et al., 2016);
- `cyclical`: four times, each time over half of the cycle (Fu et al., 2019);
- `free bits`: the batch's mean KL of a latent costs nothing below a quarter of a nat (Kingma et
  al., 2016);
- `delta`: posteriors that commit each latent to a quarter of a nat (Razavi et al., 2019,
  independent posteriors: the variance lies between the two at which a mean of zero pays just
  that, and the mean is at least what is missing);
- `fresh`, a control: constant, but the decoder starts from nothing as well;
- `coded`, a control: constant, from models that were trained like `fresh` at the price 0.2;
- `long`, a control: constant, ten times as long, seed 0 only.

The mean image in the decoder's bias is no way of its own: a decoder that was trained alone has it.

A row holds, for each seed, the rate in the course of the training, means over twenty steps (over
two hundred in `long`), and on 3,000 test images, by the plain KL for all ways: rate, distortion
(five draws), their sum at the price (`cost`), and the KL of each latent. Where the price is
constant there are `empty`, what the decoder that was trained alone costs, and `threshold`, the
largest eigenvalue of the chapter's proposition before the training, for this decoder and any
encoder; after it, `threshold_end`, which means something only where the code is empty.

What the numbers are to decide was written down before the study was run, after trials with seeds
from 100 on, by which the prices, the learning rate and the widths were chosen. A run has
*collapsed* if its rate is below 0.1 nats at the end. Each statement holds if it does in all seeds,
and is undecided otherwise:

1. At the price 1.1 the empty code is a local minimum: `threshold` is below 1.1. It is above 0.5.
2. At 1.1 the constant price has collapsed, and after ten times as long still has.
3. At 1.1 a way is a cure if the rate is above 1 nat, and it costs at least 0.05 nats less than the
   constant run of that seed, and than the empty code.
4. At 3 no schedule cures: constant, linear, cyclical and `coded` have collapsed. Free bits and
   delta keep their rate, and cost at least 1 nat more than the empty code.
5. At 0.5 a schedule is only speed: the constant price has not collapsed, and ends within 0.3 nats
   of linear annealing.
6. At 1.1 `coded` stays: it has not collapsed, and costs less than the empty code.

Statement 5 did not hold: at 0.5 the constant price ended some 0.9 nats above linear annealing,
with rates that still rose. The long row at 0.5 was added after that, to see whether it is a
matter of speed. Five more prices, constant and linear, and the long rows at 0.9 and 1, were added
when a reader had found runs collapsed below `threshold`, which is measured on the images that the
decoder was fitted to. The others stand as they were written.

The chapters on training and on beta read the table.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from scipy import optimize
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from vaebook import datasets
from vaebook.tables import Experiment

PIXELS, LATENT_DIM, SEEDS = 144, 8, range(5)
ENCODER, DECODER, LEAK = 64, 48, 0.1
TRAIN, TEST, BATCH, RATE, STEPS, LONG = 16_000, 3_000, 64, 4e-3, 1000, 10
FREE_NATS, CYCLES, LOW = 0.25, 4, 0.2
PENALTY = 1e-4  # keeps the weights of pixels that are hardly ever white finite
EACH = 20
BELOW, BETWEEN, ABOVE = 0.5, 1.1, 3.0
NEAR = (0.7, 0.9, 1.0, 1.3, 1.6)
WAYS = {
    "constant": "the price from the start",
    "linear": "the price rises from 0 over the first half",
    "cyclical": "four times: the price rises from 0 over half of the cycle, and stays",
    "free bits": "a latent's mean KL costs nothing below a quarter of a nat",
    "delta": "posteriors that commit each latent to a quarter of a nat",
    "fresh": "constant, the decoder not trained before",
    "coded": "constant, from a model with a code",
    "long": "constant, ten times as long",
}

Weights = dict[str, Tensor]  # each [S, ...], one slice per seed


@cache
def images(train: bool) -> Tensor:
    """Return digits of 12 x 12 binary pixels, without the frame that is always black, [N, P]."""
    found = datasets.mnist(train=train).images[: TRAIN if train else TEST]
    return (F.avg_pool2d(found, 2) > 0.5).float()[:, 0, 1:-1, 1:-1].flatten(1)


def nats(logits: Tensor, pixels: Tensor) -> Tensor:
    """Return -log p of each image."""
    return (F.softplus(logits) - logits * pixels).sum(-1)


@cache
def alone() -> tuple[Tensor, Tensor]:
    """Train the decoder without a code: one logistic regression per pixel, [P, P] and [P]."""
    pixels = images(train=True)
    before = torch.zeros(PIXELS, PIXELS, requires_grad=True)
    bias = torch.zeros(PIXELS, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [before, bias], max_iter=100, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = nats(pixels @ before.triu(1) + bias, pixels).mean()
        value = value + PENALTY * before.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return before.triu(1).detach(), bias.detach()


def leaky(values: Tensor) -> Tensor:
    return F.leaky_relu(values, LEAK)


def start(seeds: Sequence[int], fresh: bool = False) -> Weights:
    """Return new weights; the decoder's own part is trained unless it starts fresh."""
    found: dict[str, list[Tensor]] = {}
    for seed in seeds:
        torch.manual_seed(seed)
        sizes = {"in": (PIXELS, ENCODER), "q": (ENCODER, 2 * LATENT_DIM)}
        sizes |= {"z": (LATENT_DIM, DECODER), "out": (DECODER, PIXELS)}
        layers = {name: nn.Linear(*size) for name, size in sizes.items()}
        own = {f"{name} weight": layer.weight.detach().T for name, layer in layers.items()}
        own |= {f"{name} bias": layer.bias.detach()[None] for name, layer in layers.items()}
        own["before"] = torch.zeros(PIXELS, PIXELS)
        if not fresh:
            own["before"], bias = alone()
            own["out bias"] = bias - leaky(own["z bias"]) @ own["out weight"]
        for name, value in own.items():
            found.setdefault(name, []).append(value)
    return {name: torch.stack(values) for name, values in found.items()}


def layer(weights: Weights, name: str, inputs: Tensor) -> Tensor:
    return torch.baddbmm(weights[f"{name} bias"], inputs, weights[f"{name} weight"])


@cache
def ends() -> tuple[float, float]:
    """Return the two variances at which a mean of zero pays just the committed nats."""

    def spare(variance: float) -> float:
        return 2 * FREE_NATS + 1 + math.log(variance) - variance

    return optimize.brentq(spare, 1e-9, 1), optimize.brentq(spare, 1, 50)


def encode(weights: Weights, pixels: Tensor, committed: bool) -> tuple[Tensor, Tensor]:
    """Return means and log-variances, each [S, N, D]."""
    mu, logvar = layer(weights, "q", layer(weights, "in", pixels).relu()).chunk(2, dim=-1)
    if not committed:
        return mu, logvar
    low, high = ends()
    variance = low + (high - low) * logvar.sigmoid()
    least = (2 * FREE_NATS + 1 + variance.log() - variance).clamp_min(1e-9).sqrt()
    return least + mu.relu(), variance.log()


def terms(
    weights: Weights, pixels: Tensor, noise: Tensor, committed: bool
) -> tuple[Tensor, Tensor]:
    """Return distortion [S] and KL of each latent [S, D], means over images [S, N, P]."""
    mu, logvar = encode(weights, pixels, committed)
    z = mu + (0.5 * logvar).exp() * noise
    logits = layer(weights, "out", leaky(layer(weights, "z", z)))
    logits = logits + torch.bmm(pixels, weights["before"].triu(1))
    kl = 0.5 * (mu.square() + torch.expm1(logvar) - logvar)
    return nats(logits, pixels).mean(1), kl.mean(1)


def schedule(way: str, price: float, progress: float) -> float:
    """Return beta after a share of the training."""
    if way == "linear":
        return price * min(1.0, 2 * progress)
    if way == "cyclical":
        return price * min(1.0, 2 * (progress * CYCLES % 1))
    return price


def train(
    weights: Weights, way: str, price: float, seeds: Sequence[int]
) -> tuple[Weights, Tensor]:
    """Return trained weights, and the rate of each step [T, S]."""
    pixels = images(train=True)
    steps = STEPS * (LONG if way == "long" else 1)
    weights = {name: value.clone().requires_grad_() for name, value in weights.items()}
    optimizer = torch.optim.Adam(list(weights.values()), lr=RATE, fused=True)
    generators = [Generator().manual_seed(seed) for seed in seeds]
    rates = []
    for step in range(steps):
        shown = [torch.randint(TRAIN, (BATCH,), generator=g) for g in generators]
        noise = [torch.randn(BATCH, LATENT_DIM, generator=g) for g in generators]
        batch = pixels[torch.stack(shown)]
        distortion, kl = terms(weights, batch, torch.stack(noise), way == "delta")
        paid = kl.clamp_min(FREE_NATS) if way == "free bits" else kl
        optimizer.zero_grad()
        # Seeds share no weight, so that each gets the gradient of its own loss.
        (distortion + schedule(way, price, step / steps) * paid.sum(1)).sum().backward()
        optimizer.step()
        rates.append(kl.detach().sum(1))
    return {name: value.detach() for name, value in weights.items()}, torch.stack(rates)


@cache
def coded() -> Weights:
    """Return models that were trained at a low price."""
    return train(start(SEEDS, fresh=True), "constant", LOW, SEEDS)[0]


def threshold(weights: Weights, seed: int) -> float:
    """Return the price from which on an empty code is a local minimum, for any encoder."""
    own = {name: value[seed].double() for name, value in weights.items()}
    pixels = images(train=True).double()
    entered = own["z bias"]
    logits = leaky(entered) @ own["out weight"] + own["out bias"]
    p = (logits + pixels @ own["before"].triu(1)).sigmoid()
    slope = own["out weight"] * torch.where(entered > 0, 1.0, LEAK).T
    residual = (pixels - p) @ slope.T
    curvature = (slope * (p * (1 - p)).mean(0)) @ slope.T
    root = torch.linalg.cholesky(curvature)
    white = torch.linalg.solve_triangular(root, residual.T, upper=False)
    return torch.linalg.eigvalsh(white @ white.T / TRAIN).max().item()


def rounded(values: Tensor, digits: int) -> Any:
    """Return a tensor as nested lists of short numbers."""
    if values.ndim > 1:
        return [rounded(row, digits) for row in values]
    return [round(value, digits) for value in values.tolist()]


def row(price: float, way: str) -> dict[str, Any]:
    """Train five models and measure them."""
    seeds = SEEDS[:1] if way == "long" else SEEDS
    first = coded() if way == "coded" else start(seeds, fresh=way == "fresh")
    weights, rates = train(first, way, price, seeds)
    test = images(train=False)
    noise = torch.randn(5, TEST, LATENT_DIM, generator=Generator().manual_seed(0))
    pixels = test.expand(len(seeds), -1, -1)
    draws = [
        terms(weights, pixels, each.expand(len(seeds), -1, -1), way == "delta") for each in noise
    ]
    distortion, kl = torch.stack([d for d, _ in draws]).mean(0), draws[0][1]
    every = EACH * (LONG if way == "long" else 1)
    curves = rates.T.reshape(len(seeds), -1, every).mean(2)
    found = {
        "kl": rounded(curves, 3),
        "rate": rounded(kl.sum(1), 4),
        "distortion": rounded(distortion, 3),
        "cost": rounded(distortion + price * kl.sum(1), 3),
        "kl_each": rounded(kl.sort(descending=True).values, 4),
    }
    if way in ("constant", "long"):
        before, bias = alone()
        found["empty"] = round(nats(test @ before + bias, test).mean().item(), 3)
        for name, at in (("threshold", first), ("threshold_end", weights)):
            found[name] = [round(threshold(at, k), 4) for k in range(len(seeds))]
    return found


SCHEDULES = ["constant", "linear", "cyclical"]
OTHERS = ["free bits", "delta", "coded"]
TRIED = {
    BETWEEN: [*SCHEDULES, *OTHERS, "fresh", "long"],
    ABOVE: [*SCHEDULES, *OTHERS],
    BELOW: ["constant", "linear", "long"],
    **{price: ["constant", "linear"] for price in NEAR},
}
TRIED[1.0] += ["long"]
TRIED[0.9] += ["long"]

collapse = Experiment(
    "collapse",
    row,
    [{"price": price, "way": way} for price, ways in TRIED.items() for way in ways],
    about={
        "ways": WAYS,
        "prices": [BETWEEN, ABOVE, BELOW],
        "near": [*NEAR],
        "each": EACH,
        "steps": STEPS,
    },
)
