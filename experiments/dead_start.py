"""Codes that are empty because the encoder starts dead, and what brings them to life.

    make experiment NAME=dead_start

A row is about one VAE of one seed, 144-64-16 and 8-48-144, of MNIST at 12 x 12 binary pixels:
16,000 training images, 2,000 steps of Adam, 64 images each, at the price 1, from He's weights. Its
decoder has no other way to know of the image than the code, so that a code pays many nats: the
price lies far below the threshold of the chapter's proposition. Its `way`:

- `alive`: He's weights as they are;
- `blind`: the encoder's last layer is zero, so that its outputs do not depend on the image, but
  have a gradient;
- `dead`: the biases of the hidden layer are so low that no unit fires for any training image;
- `annealed`, `free bits`: the same start, and the price rises from 0 over the first half, or the
  first quarter of a nat of each latent costs nothing;
- `few`: four of the 64 units are left as they were;
- `leaky`: the dead start, with leaky ReLU of slope .1;
- `revived`: the dead start, and after 200 steps each unit that fires for none of 1,000 training
  images is drawn anew.

A row holds, on 3,000 test images, the rate, the cost (rate plus distortion, five draws), the
spread of the codes (the root of the summed variances of the means), `live`, how many hidden units
fire for one of them at least, and `empty`, the cost of the mean training image.

Written down before the first of them was trained:

1. `alive` costs at least 5 nats less than `empty`, in 5 of 5 seeds: the code pays.
2. A start stays dead where the spread is below .01 and the cost is not .5 nats below `empty`: so
   `dead`, `annealed` and `free bits` do in 5 of 5 seeds.
3. A cure costs at most 1 nat more than `alive` of the same seed, in 5 of 5: asked of `blind`,
   `leaky` and `revived`, and of `few`, which we expect to fail.

The chapter on beta reads the table.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from vaebook import datasets, objectives
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.tables import Experiment
from vaebook.training import fit

SEEDS, LATENT_DIM, HIDDEN = range(5), 8, 64
TRAIN, TEST, EPOCHS, BATCH, RATE = 16_000, 3_000, 8, 64, 2e-3
FREE_NATS, FEW, SLOPE, REVIVED, WATCHED = 0.25, 4, 0.1, 200, 1000
WAYS = ("alive", "blind", "dead", "annealed", "free bits", "few", "leaky", "revived")


@cache
def images(train: bool) -> ImageSet:
    """Return digits of 12 x 12 binary pixels, without the frame that is always black."""
    found = datasets.mnist(train=train).images[: TRAIN if train else TEST]
    return ImageSet((F.avg_pool2d(found, 2) > 0.5).float()[..., 1:-1, 1:-1].contiguous())


def ends(model: VAE) -> tuple[nn.Linear, nn.Linear]:
    """Return the encoder's first and last layer."""
    linear = [part for part in model.encoder.modules() if isinstance(part, nn.Linear)]
    return linear[0], linear[-1]


@torch.no_grad()
def start(way: str, seed: int) -> VAE:
    """Return an untrained model."""
    torch.manual_seed(seed)
    shape = (1, 12, 12)
    encoder = MLPEncoder(2 * LATENT_DIM, (HIDDEN,), shape=shape)
    decoder = MLPDecoder(LATENT_DIM, (48,), shape=shape)
    model = VAE(encoder, decoder, LATENT_DIM, Bernoulli())
    first, last = ends(model)
    if way == "blind":
        last.weight.zero_()
    elif way != "alive":
        highest = first(images(train=True).images.flatten(1)).amax(0)
        highest[: FEW if way == "few" else 0] = -1.0
        first.bias.sub_(highest + 1)
    if way == "leaky":
        layers: Any = encoder.layers
        for name, part in layers.named_children():
            if isinstance(part, nn.ReLU):
                layers[int(name)] = nn.LeakyReLU(SLOPE)
    return model


@torch.no_grad()
def revive(step: int, model: VAE) -> None:
    """Draw the units anew that fire for no image."""
    if step != REVIVED:
        return
    first, _ = ends(model)
    dead = (first(images(train=True).images[:WATCHED].flatten(1)) <= 0).all(0)
    first.weight[dead] = torch.randn_like(first.weight[dead]) * (2 / first.in_features) ** 0.5
    first.bias[dead] = 0.0


def rising(progress: float) -> float:
    return min(1.0, 2 * progress)


def free_bits(
    model: VAE, batch: ImageSet, *, generator: Generator | None, progress: float
) -> dict[str, Tensor]:
    """The first nats of each latent cost nothing."""
    mu, logvar = model.encode(batch.images)
    z = model.reparameterize(mu, logvar, generator)
    each = objectives.kl_per_latent(mu, logvar).mean(0)
    return {"loss": each.clamp_min(FREE_NATS).sum() - model.log_prob(batch.images, z)}


def annealed(
    model: VAE, batch: ImageSet, *, generator: Generator | None, progress: float
) -> dict[str, Tensor]:
    return objectives.negative_elbo(
        model, batch, beta=rising, generator=generator, progress=progress
    )


def row(way: str, seed: int) -> dict[str, Any]:
    """Train one model and measure it."""
    model = start(way, seed)
    minimised: dict[str, Callable[..., dict[str, Tensor]]]
    minimised = {"free bits": free_bits, "annealed": annealed}
    fit(
        model,
        minimised.get(way, objectives.negative_elbo),
        images(train=True),
        epochs=EPOCHS,
        batch_size=BATCH,
        learning_rate=RATE,
        seed=seed,
        observers=[revive] if way == "revived" else [],
        progress=False,
    )
    test = images(train=False).images
    bound = bounds.elbo(model, test, 5, Generator().manual_seed(0))
    first, _ = ends(model)
    usual = images(train=True).images.mean(0, keepdim=True).clamp(1e-4, 1 - 1e-4)
    return {
        "rate": round(bound.kl.mean().item(), 4),
        "cost": round(-bound.elbo.mean().item(), 3),
        "spread": round(model.codes(test).mu.var(0).sum().sqrt().item(), 5),
        "live": int((first(test.flatten(1)) > 0).any(0).sum()),
        "empty": round(
            -Bernoulli().log_prob(usual.logit().expand_as(test), test).mean().item(), 3
        ),
    }


dead_start = Experiment("dead_start", row, {"way": WAYS, "seed": SEEDS})
