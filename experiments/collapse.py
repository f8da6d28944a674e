r"""Latents that die beside a strong decoder: which price kills them, and which schedule saves them.

    make experiment NAME=collapse

A row is one training of a VAE of MNIST at 12 x 12 binary pixels: 16,000 training images, an
encoder 144-64-16 and a decoder 8-64-144 whose logits are joined by those of a linear
autoregressive model, which sees the pixels before its own in reading order. That part can model
the images without any code (Bowman et al., 2016). But for two controls every run starts from a
decoder that was trained alone, to its optimum, beside an encoder and a layer of the code that
know nothing; it has four epochs of Adam, 1,000 steps at a constant rate, and ends at its `price`
beta. Its `way`:

- `constant`: the price from the start;
- `linear`: it rises from 0 over the first half (Bowman et al., 2016);
- `cyclical`: four times, each time over half of the cycle (Fu et al., 2019);
- `free bits`: the batch's mean KL of a latent costs nothing below a quarter of a nat (Kingma et
  al., 2016);
- `delta`: posteriors that commit each latent to a quarter of a nat (Razavi et al., 2019,
  independent posteriors: the variance lies between the two at which a mean of zero pays just
  that, and the mean is at least what is missing);
- `fresh`, a control: constant, but the decoder starts from nothing as well;
- `coded`, a control: constant, from a model that was trained like `fresh` at the price 0.2;
- `long`, a control: constant, ten times as long.

The mean image in the decoder's bias is no way of its own: a decoder that was trained alone has it.

A row holds the rate in the course of the training, means over twenty steps (over two hundred in
`long`), and on 3,000 test images, by the plain KL for all ways: rate, distortion (five draws),
their sum at the price, and the KL of each latent. The rows of the constant price hold as well
`empty`, the negative log-likelihood of the decoder alone; `threshold`, the largest eigenvalue of
the chapter's proposition at the start, for this decoder and any encoder; `threshold_end`, the same
after the training, which means something where the code is still empty; and `threshold_any`, that
at the start for any decoder that adds to the logits.

What the numbers are to decide was written down before the study was run, after trials with seeds
from 100 on, by which the prices, the learning rate and the widths were chosen. A run has
*collapsed* if its rate is below 0.1 nats at the end. Seeds 0 to 4, and 0 to 2 for `long`; each
statement holds if it does in all of them, and is undecided otherwise:

1. At the price 1.1 the empty code is a local minimum: `threshold` is below 1.1. It is above 0.5.
2. At 1.1 the constant price has collapsed, and after ten times as long still has.
3. At 1.1 a way is a cure if the rate is above 1 nat, and rate and distortion cost at least 0.1
   nats less than in the constant run of that seed, and than the empty code.
4. At 3 no schedule cures: constant, linear, cyclical and `coded` have collapsed. Free bits and
   delta keep their rate, and cost at least 1 nat more than the empty code.
5. At 0.5 a schedule is only speed: the constant price has not collapsed, and ends within 0.3 nats
   of linear and cyclical annealing.
6. At 1.1 `coded` stays: it has not collapsed, and costs less than the empty code.

The chapter on beta reads the table.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from typing import Any

import torch
from scipy import optimize
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from vaebook import datasets, objectives
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.tables import Experiment
from vaebook.training import fit

SIDE, LATENT_DIM, HIDDEN = 12, 8, 64
TRAIN, TEST, BATCH, RATE, EPOCHS, LONG = 16_000, 3_000, 64, 4e-3, 4, 10
FREE_NATS, CYCLES, LOW = 0.25, 4, 0.2
PENALTY = 1e-4  # keeps the weights of pixels that are hardly ever white finite
EACH = 20  # steps of which the curve has the mean
BELOW, BETWEEN, ABOVE = 0.5, 1.1, 3.0
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


@cache
def images(train: bool) -> ImageSet:
    """Return digits of 12 x 12 binary pixels, without the frame that is always black."""
    found = datasets.mnist(train=train).images[: TRAIN if train else TEST]
    return ImageSet((F.avg_pool2d(found, 2) > 0.5).float()[:, :, 1:-1, 1:-1])


class Autoregressive(Bernoulli):
    """Pixels whose logits are those of the code plus a linear function of the pixels before."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Parameter(torch.zeros(SIDE**2, SIDE**2))

    def logits(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return all logits of the images, [N, C, H, W]."""
        seen = images.flatten(1) @ self.before.tril(-1).T
        return outputs + seen.view_as(outputs)

    def log_prob(self, outputs: Tensor, images: Tensor | ImageSet) -> Tensor:
        pixels = images.images if isinstance(images, ImageSet) else images
        return super().log_prob(self.logits(outputs, pixels), images)


class Committed(nn.Module):
    """An encoder none of whose posteriors is closer to the prior than `nats` in any latent."""

    def __init__(self, encoder: nn.Module, nats: float) -> None:
        super().__init__()
        self.encoder, self.nats = encoder, nats

        def spare(log_variance: float) -> float:
            """Minus twice the KL at a mean of zero, plus twice the commitment."""
            return 2 * nats + 1 + log_variance - float(torch.tensor(log_variance).double().exp())

        self.low = optimize.brentq(spare, -20, 0)
        self.high = optimize.brentq(spare, 0, 20)

    def forward(self, images: Tensor) -> Tensor:
        shift, spread = self.encoder(images).chunk(2, dim=1)
        low, high = (torch.tensor(end).exp() for end in (self.low, self.high))
        variance = low + (high - low) * spread.sigmoid()
        least = (2 * self.nats + 1 + variance.log() - variance).clamp_min(1e-9).sqrt()
        return torch.cat([least + shift.relu(), variance.log()], dim=1)


@cache
def alone() -> tuple[Tensor, Tensor]:
    """Train the decoder without a code: one logistic regression per pixel, [P, P] and [P]."""
    pixels = images(train=True).images.flatten(1)
    before = torch.zeros(SIDE**2, SIDE**2, requires_grad=True)
    bias = torch.zeros(SIDE**2, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [before, bias], max_iter=100, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = pixels @ before.tril(-1).T + bias
        fit = (F.softplus(logits) - logits * pixels).sum(1).mean()
        value = fit + PENALTY * before.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return before.detach(), bias.detach()


def untrained(seed: int) -> VAE:
    """Return a model that knows nothing."""
    torch.manual_seed(seed)
    shape = (1, SIDE, SIDE)
    encoder = MLPEncoder(2 * LATENT_DIM, (HIDDEN,), shape, initial="torch")
    decoder = MLPDecoder(LATENT_DIM, (HIDDEN,), shape, initial="torch")
    return VAE(encoder, decoder, LATENT_DIM, Autoregressive())


def start(seed: int) -> VAE:
    """Return the model whose decoder was trained alone."""
    model = untrained(seed)
    before, bias = alone()
    with torch.no_grad():
        model.likelihood.get_parameter("before").copy_(before)
        last = model.decoder.get_parameter("layers.2.bias")
        last += bias - model.decoder(torch.zeros(1, LATENT_DIM)).flatten()
    return model


@cache
def coded(seed: int) -> VAE:
    """Return a model that was trained at a low price."""
    return trained(untrained(seed), objective("constant", LOW), seed, EPOCHS)[0]


def trained(
    model: VAE, objective: Callable[..., dict[str, Tensor]], seed: int, epochs: int
) -> tuple[VAE, list[float]]:
    """Train a model; return it and the KL of each step."""
    history = fit(
        model,
        objective,
        images(train=True),
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=RATE,
        seed=seed,
        progress=False,
    )
    return model, history.steps["kl"]


def schedule(way: str, price: float, progress: float) -> float:
    """Return beta after a share of the training."""
    if way == "linear":
        return price * min(1.0, 2 * progress)
    if way == "cyclical":
        return price * min(1.0, 2 * (progress * CYCLES % 1))
    return price


def free_bits(
    model: VAE,
    batch: ImageSet,
    *,
    price: float,
    generator: Generator | None = None,
    progress: float = 1.0,
) -> dict[str, Tensor]:
    """Distortion and priced rate, in which the first nats of each latent cost nothing."""
    terms = objectives.negative_elbo(model, batch, generator=generator, progress=progress)
    each = objectives.kl_per_latent(*model.encode(batch.images)).mean(0)
    paid = price * each.clamp_min(FREE_NATS).sum()
    return terms | {"loss": terms["reconstruction"] + paid}


def objective(way: str, price: float) -> Callable[..., dict[str, Tensor]]:
    """Return what is minimised."""
    if way == "free bits":
        return partial(free_bits, price=price)
    return partial(objectives.negative_elbo, beta=partial(schedule, way, price))


def threshold(model: VAE, network: bool = True) -> float:
    """Return the price from which on the empty code is a local minimum, for any encoder.

    The decoder takes the code in as `layers[0]`. With `network` false it is the price for all
    decoders that add something to the logits.
    """
    pixels = images(train=True).images
    with torch.no_grad():
        nothing = torch.zeros(1, LATENT_DIM)
        outputs = model.decoder(nothing).expand_as(pixels)
        p = model.likelihood.logits(outputs, pixels).sigmoid().flatten(1).double()  # type: ignore[operator]
        residual = pixels.flatten(1) - p
        curvature = (p * (1 - p)).mean(0).diag()
        scatter = residual.T @ residual / len(p)
        if network:
            rest, entered = model.decoder.layers[1:], model.decoder.layers[0](nothing)[0]  # type: ignore[index,operator]
            slope = torch.autograd.functional.jacobian(rest, entered).double()
            curvature, scatter = slope.T @ curvature @ slope, slope.T @ scatter @ slope
        values, vectors = torch.linalg.eigh(curvature)
        kept = values > 1e-6 * values.max()  # a unit that is off takes no code in
        white = vectors[:, kept] * values[kept].rsqrt()
        return torch.linalg.eigvalsh(white.T @ scatter @ white).max().item()


def uncoded() -> float:
    """Return the negative log-likelihood of the test images under the decoder alone, nats."""
    before, bias = alone()
    pixels = images(train=False).images.flatten(1)
    logits = pixels @ before.T + bias
    return (F.softplus(logits) - logits * pixels).sum(1).mean().item()


def row(price: float, way: str, seed: int) -> dict[str, Any]:
    """Train one model and measure it."""
    model = {"fresh": untrained, "coded": lambda seed: deepcopy(coded(seed))}.get(way, start)(seed)
    found: dict[str, Any] = {}
    if way == "constant":
        found["empty"] = round(uncoded(), 3)
        found["threshold"] = round(threshold(model), 4)
        found["threshold_any"] = round(threshold(model, network=False), 4)
    if way == "delta":
        model.encoder = Committed(model.encoder, FREE_NATS)
    epochs = EPOCHS * (LONG if way == "long" else 1)
    model, kl = trained(model, objective(way, price), seed, epochs)
    if way == "constant":
        found["threshold_end"] = round(threshold(model), 4)
    test = images(train=False)
    codes = model.codes(test)
    assert codes.logvar is not None
    each = objectives.kl_per_latent(codes.mu, codes.logvar).mean(0)
    bound = bounds.elbo(model, test.images, 5, Generator().manual_seed(0))
    rate, distortion = bound.kl.mean().item(), -bound.log_prob.mean().item()
    every = EACH * (LONG if way == "long" else 1)
    curve = torch.tensor(kl)[: len(kl) // every * every].view(-1, every).mean(1)
    return found | {
        "kl": [round(value, 3) for value in curve.tolist()],
        "rate": round(rate, 4),
        "distortion": round(distortion, 3),
        "loss": round(distortion + price * rate, 3),
        "kl_each": [round(value, 4) for value in sorted(each.tolist(), reverse=True)],
    }


SCHEDULES = ["constant", "linear", "cyclical"]
OTHERS = ["free bits", "delta", "coded"]
TRIED = {BETWEEN: [*SCHEDULES, *OTHERS, "fresh"], ABOVE: [*SCHEDULES, *OTHERS], BELOW: SCHEDULES}

collapse = Experiment(
    "collapse",
    row,
    [
        {"price": price, "way": way, "seed": seed}
        for price, ways in [*TRIED.items(), (BETWEEN, ["long"])]
        for way in ways
        for seed in range(3 if way == "long" else 5)
    ],
    about={"ways": WAYS, "prices": list(TRIED), "each": EACH, "steps": EPOCHS * TRAIN // BATCH},
)
