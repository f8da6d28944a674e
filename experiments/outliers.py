"""Which scores of a VAE tell images of another kind, in both directions.

    make experiment NAME=outliers

A row is about two VAEs of one seed, 784-400-100-20 with Bernoulli pixels, He's initial weights,
15 epochs on `kind`, MNIST or Fashion-MNIST; the other one, the background, has seen images of
which every fifth pixel was replaced by a uniform one. They are shown images of both test sets.
Every score is larger for what is less typical:

- `energy`, E_q |z|² / 2, and `kl`, of q(z|x): they know the code only;
- `thresholds`, what the book understands by statistical thresholding: how far mu or log sigma lie
  from their means over the training images, in standard deviations, in the worst dimension;
- `neighbours`, the distance from mu and log sigma, standardised, to the tenth nearest of 10,000
  training images', and `pixel neighbours`, the same of the images themselves, the control of it;
- `negative ELBO` (five draws) and `surprise`, -log p(x) by 100 importance samples;
- `typicality`, | -log p(x) minus its mean over training images | (Nalisnick et al., 2019b, for
  one image);
- `complexity`, -log p(x) minus the length of the image's PNG in nats (Serrà et al., 2020), and
  `binary complexity`, the same of images binarised once, whose PNG has one bit a pixel: only there
  are both lengths those of codes for the same thing;
- `likelihood ratio`, log p(x) of the background minus log p(x) (Ren et al., 2019);
- `ink`, the sum of the pixels, which no model is needed for: the control.

On 1,000 test images of the same kind thresholds are set by counting (conformal), on 1,000 others
false alarms are measured, and on 1,000 of the other kind what is found; for `thresholds` also at
the quantiles that would be right if mu and log sigma were normal and independent. `with_ink` is a
score's correlation with the ink of the 2,000: it tells what a score that fails has looked at.

Written down before the first of these models was trained, but for three scores: that of binary
images was added when four rows had shown the other one to follow the length of the PNG alone, and
the two of neighbours when all rows were there, since energy, KL and single deviations say little
of what else a code could tell:

- *Likelihood misleads* if, in 5 of 5 seeds, clothes' models find digits more likely than clothes:
  the area under the curve of `surprise` below one half. Digits' models should find the clothes.
- *It is ink* if `ink` alone comes within .02 of the area of `surprise` in both directions.
- A remedy *holds* if its area is above .9 in both directions in 5 of 5 seeds.
- *Thresholds* keep their promise if the false alarms at 1 % are below 2.5 % in 5 of 5 seeds of
  both kinds. Where one counts, they are beta-binomial, and below 2.5 % with a probability of .995.

The chapter on anchors reads the table.
"""

import io
import math
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor

from vaebook import datasets, objectives
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder
from vaebook.tables import Experiment
from vaebook.training import fit, one_cycle

KINDS, SEEDS = ("digits", "clothes"), range(5)
LATENT_DIM, EPOCHS, N, MUTATED, SAMPLES = 20, 15, 1000, 0.2, 100
KNOWN = 10_000  # training images whose codes are compared with
ALPHAS = (0.01, 0.05)


@cache
def sets(kind: str) -> tuple[ImageSet, ImageSet]:
    """Training images, and shuffled test images."""
    load = datasets.mnist if kind == "digits" else datasets.fashion_mnist
    test = load(train=False)
    order = torch.randperm(len(test), generator=Generator().manual_seed(0))
    return load(train=True).split(11 / 12, seed=0)[0], test[order]


def mutate(images: Tensor, *, generator: Generator) -> Tensor:
    """Replace a fifth of the pixels by uniform grey values."""
    chosen = torch.rand(images.shape, generator=generator) < MUTATED
    return torch.where(chosen, torch.rand(images.shape, generator=generator), images)


def trained(kind: str, seed: int, background: bool) -> VAE:
    torch.manual_seed(seed)
    model = VAE(MLPEncoder(2 * LATENT_DIM), MLPDecoder(LATENT_DIM), LATENT_DIM, Bernoulli())
    fit(
        model,
        objectives.negative_elbo,
        sets(kind)[0],
        epochs=EPOCHS,
        batch_size=256,
        learning_rate=2e-3,
        schedule=one_cycle,
        transform=mutate if background else None,
        seed=seed,
        progress=False,
    )
    return model.requires_grad_(False)


def png_nats(images: Tensor, mode: str) -> Tensor:
    """The length of each image's PNG, without what every PNG has."""

    def length(pixels: np.ndarray) -> int:
        file = io.BytesIO()
        Image.fromarray(pixels).convert(mode, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )
        return len(file.getvalue())

    grey = (255 * images[:, 0]).round().byte().numpy()
    shared = length(np.zeros_like(grey[0]))
    return 8 * math.log(2) * torch.tensor([float(length(each) - shared) for each in grey])


def standardised(model: VAE, images: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """mu and log sigma of images and of training images, in deviations of the latter, [N, 2 D]."""

    def both(some: Tensor) -> Tensor:
        codes = model.codes(some)
        assert codes.logvar is not None
        return torch.cat([codes.mu, codes.logvar / 2], 1)

    codes, usual = both(images), both(train)
    mean, scale = usual.mean(0), usual.std(0)
    return (codes - mean) / scale, (usual - mean) / scale


def to_neighbours(points: Tensor, known: Tensor) -> Tensor:
    """The distance to the tenth nearest of what is known, [N]."""
    parts = [torch.cdist(part, known).kthvalue(10, dim=1).values for part in points.split(500)]
    return torch.cat(parts)


def scores(model: VAE, background: VAE, images: Tensor, train: Tensor) -> dict[str, Tensor]:
    """All scores of some images, each [N]."""

    def surprise(which: VAE, some: Tensor) -> Tensor:
        return -bounds.log_evidence(which, some, SAMPLES, Generator().manual_seed(0))

    codes = model.codes(images)
    assert codes.logvar is not None
    places, known = standardised(model, images, train)
    bound = bounds.elbo(model, images, 5, Generator().manual_seed(0))
    plain = surprise(model, images)
    binary = datasets.binarize(images, Generator().manual_seed(0))
    return {
        "energy": 0.5 * (codes.mu.square() + codes.logvar.exp()).sum(1),
        "kl": bound.kl,
        "thresholds": places.abs().amax(1),
        "neighbours": to_neighbours(places, known),
        "pixel neighbours": to_neighbours(images.flatten(1), train.flatten(1)),
        "negative ELBO": -bound.elbo,
        "surprise": plain,
        "typicality": (plain - surprise(model, train[:N]).mean()).abs(),
        "complexity": plain - png_nats(images, "L"),
        "binary complexity": surprise(model, binary) - png_nats(binary, "1"),
        "likelihood ratio": plain - surprise(background, images),
        "ink": images.flatten(1).sum(1),
    }


def limit(held_out: Tensor, alpha: float) -> float:
    """The k-th largest score, k = floor(alpha (n + 1))."""
    return (
        held_out.sort(descending=True).values[math.floor(alpha * (len(held_out) + 1)) - 1].item()
    )


def normal_limit(alpha: float) -> float:
    """Where the largest of 2 D independent normal deviations lies with probability 1 - alpha."""
    each = (1 - alpha) ** (1 / (2 * LATENT_DIM))
    return math.sqrt(2) * torch.erfinv(torch.tensor(each, dtype=torch.float64)).item()


def shares(limits: float, ours: Tensor, foreign: Tensor) -> list[float]:
    """False alarms, and what is found."""
    return [round((part > limits).double().mean().item(), 4) for part in (ours, foreign)]


def row(kind: str, seed: int) -> dict[str, Any]:
    """Train both models, and see which scores tell the other kind of image."""
    from sklearn.metrics import roc_auc_score

    (other,) = {*KINDS} - {kind}
    train, test = sets(kind)
    model, background = (trained(kind, seed, which) for which in (False, True))
    images = torch.cat([test.images[: 2 * N], sets(other)[1].images[:N]])
    found = scores(model, background, images, train.images[:KNOWN])
    result: dict[str, Any] = {"scores": {}}
    foreign, ink = np.repeat([0, 1], N), found["ink"][N:].numpy()
    for name, values in found.items():
        held_out, ours, theirs = values.split(N)
        told = roc_auc_score(foreign, torch.cat([ours, theirs]).numpy())
        result["scores"][name] = {
            "auc": round(float(told), 4),
            "with_ink": round(float(np.corrcoef(ink, torch.cat([ours, theirs]))[0, 1]), 3),
            "counted": {str(a): shares(limit(held_out, a), ours, theirs) for a in ALPHAS},
        }
        if name == "thresholds":
            result["scores"][name]["normal"] = {
                str(a): shares(normal_limit(a), ours, theirs) for a in ALPHAS
            }
        if seed == 0 and name in ("surprise", "binary complexity", "ink"):
            result.setdefault("points", {})[name] = {
                "ours": [round(v, 2) for v in ours[:300].tolist()],
                "theirs": [round(v, 2) for v in theirs[:300].tolist()],
                "limit": round(limit(held_out, 0.01), 2),
            }
    return result


outliers = Experiment("outliers", row, {"seed": SEEDS, "kind": KINDS})
