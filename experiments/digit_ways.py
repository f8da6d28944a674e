"""Ways between digits in the plane, judged by digits that no training has seen, over ten seeds.

    make experiment NAME=digit_ways

A row is about one of the recipes `prior-2d-normal-s0` to `-s9`. Of the 10,000 test images of MNIST
one half, drawn once, is the gallery; the seed draws one of each class from the other half, and
ways join all 45 pairs: the straight line (`straight`); the arc around the origin whose radius
changes evenly (`arc`); the way that prefers dense places, by the density of 1,000 codes to the
power of a half (`density`); the decoder's shortest way (`decoder`); and the shortest by the
expected metric of an ensemble (`ensemble`; Syrota et al. 2024), of the decoder and three others
trained on the same codes. `blend`, the control, needs no way: the images of both ends are mixed.

Each way is read at ten places at equal shares of the length of its images; `away` is the mean
distance of these to the nearest image of the gallery, as a share of what 1,000 test images of the
other half have when they come back through the model; `sure` is the share of places of which a
classifier that has seen neither model nor gallery is at least 90 % sure, and `other` the share
that it reads as neither end's class; `length` is the median ratio to the straight way's length.
`distances` has the lengths of the shortest and of the straight way and the distance of the codes
for sixty pairs of test images, the same for all seeds, and `pixels` the norm of their difference.

Written down before the first row; a form holds that is true in 9 of 10 seeds, and fails that is
true in 1 of 10 at most:

- judge: `away` of the blend is at least 1 % larger than that of the straight line: otherwise the
  gallery is no judge;
- shorter: `length` of the decoder's way is at most .95;
- nearer: `away` of the decoder's way is at least 1 % smaller than that of the straight line;
- surer: `sure` of the decoder's way is at least .02 more than that of the straight line;
- dense: `away` of the density's way is at least 1 % smaller than that of the decoder's;
- arc: `away` of the arc is at least 1 % smaller than that of the straight line;
- ensemble: `away` of the ensemble's way is at least 1 % smaller than that of the decoder's;
- agree: over the sixty pairs, the mean rank correlation of the shortest ways' lengths with those
  of the nine other seeds is at least .05 more than that of the codes' distances.
"""

from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet, binarize
from vaebook.latent import geometry, mixtures
from vaebook.latent.dense import dense_paths
from vaebook.latent.paths import resample, slerp
from vaebook.models import VAE, Classifier
from vaebook.models.networks import MLPDecoder
from vaebook.recipes.book.data import MNIST_THIRD
from vaebook.tables import Experiment, rounded
from vaebook.training import one_cycle

WEIGHTS = Path("_build/weights")
JUDGE = "mnist-classifier"
MEMBERS, EPOCHS, BATCH, RATE = 4, 6, 256, 4e-3
NODES, FINE, PLACES = 32, 311, 10
KNOWN, GRAPH = 1000, 300  # codes of the density, and of the graph of its ways
FIXED = 60
SURE = 0.9

Decode = Callable[[Tensor], Tensor]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def halves() -> tuple[ImageSet, ImageSet]:
    """The gallery, and the images that ways join."""
    return datasets.mnist(train=False).split(0.5, seed=0)


@cache
def training() -> Tensor:
    return binarize(MNIST_THIRD.load()[0].images, seeded(1))


def recipe(seed: int) -> recipes.Recipe:
    return recipes.get(f"prior-2d-normal-s{seed}")


def another(model: VAE, seed: int) -> MLPDecoder:
    """A decoder for the codes of a model that stays as it is."""
    torch.manual_seed(seed)
    images, decoder = training(), MLPDecoder(2, (32, 64))
    with torch.no_grad():
        codes = model.codes(images)
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * one_cycle(step / steps)
        few = torch.randint(len(images), (BATCH,))
        loss = F.binary_cross_entropy_with_logits(
            decoder(codes[few].sample()), images[few], reduction="sum"
        )
        optimizer.zero_grad()
        (loss / BATCH).backward()
        optimizer.step()
    return decoder.requires_grad_(False)


def ensemble(model: VAE, seed: int) -> Decode:
    """Images of all members side by side, whose metric is the mean of theirs."""
    others = [another(model, 100 * (seed + 1) + k) for k in range(MEMBERS - 1)]

    def side_by_side(z: Tensor) -> Tensor:
        images = [decoder(z).sigmoid() for decoder in others]
        return torch.stack([model.decode(z), *images], 1) / MEMBERS**0.5

    return side_by_side


def ways(model: VAE, seed: int, ends: Tensor, pairs: list[tuple[int, int]]) -> dict[str, Tensor]:
    """Polylines [P, n, 2] between pairs of the codes [10, 2]."""
    start, end = (ends[[pair[k] for pair in pairs]] for k in (0, 1))
    t = torch.linspace(0, 1, NODES)[:, None]
    chosen = torch.randperm(len(training()), generator=seeded(seed))[:KNOWN]
    known = model.codes(training()[chosen])
    logvar = known.logvar
    assert logvar is not None

    def density(z: Tensor) -> Tensor:
        return mixtures.log_density(z, known.mu, logvar)

    found = dense_paths(known.mu[:GRAPH], ends, density, exponent=0.5).polylines
    return {
        "straight": torch.lerp(start[:, None], end[:, None], t),
        "arc": torch.stack([slerp(a, b, NODES) for a, b in zip(start, end, strict=True)]),
        "density": torch.stack([resample(found[i][j], NODES) for i, j in pairs]),
        "decoder": geometry.geodesic(model.decode, start, end, NODES).paths,
        "ensemble": geometry.geodesic(ensemble(model, seed), start, end, NODES).paths,
    }


def film(decode: Decode, path: Tensor) -> tuple[float, Tensor]:
    """How long a way is, and ten images [10, 784] at equal shares of it."""
    fine = F.interpolate(path.T[None], FINE, mode="linear", align_corners=True)[0].T
    images = decode(fine).flatten(1)
    return images.diff(dim=0).norm(dim=1).sum().item(), resample(images, PLACES + 2)[1:-1]


def away(images: Tensor) -> float:
    """Mean distance of images [N, 784] to the nearest of the gallery."""
    return torch.cdist(images, halves()[0].images.flatten(1)).amin(1).mean().item()


@torch.no_grad()
def row(seed: int) -> dict[str, Any]:
    """Judge the ways of one model."""
    model: VAE = recipes.train(recipe(seed), WEIGHTS, progress=False).model.eval()
    judge: Classifier = recipes.load(JUDGE).model
    images, labels = halves()[1].images, halves()[1].labels
    assert labels is not None
    order = torch.randperm(len(images), generator=seeded(seed))
    ends = order[[int((labels[order] == digit).nonzero()[0, 0]) for digit in range(10)]]
    pairs = list(combinations(range(10), 2))
    codes = model.codes(images[ends]).mu
    with torch.enable_grad():
        found = ways(model, seed, codes, pairs)
    films = {name: [film(model.decode, path) for path in paths] for name, paths in found.items()}
    pictures = {name: [images for _, images in of] for name, of in films.items()}
    shown = model.decode(codes).flatten(1)
    t = torch.linspace(0, 1, PLACES + 2)[1:-1, None]
    pictures["blend"] = [torch.lerp(shown[i], shown[j], t) for i, j in pairs]

    back = model.decode(model.codes(images[order[-1000:]]).mu).flatten(1)
    usual = away(back)
    own = torch.tensor(pairs)[:, None]
    result: dict[str, Any] = {"usual": usual}
    for name, of in pictures.items():
        read = judge(torch.cat(of).unflatten(1, (1, 28, 28))).softmax(1)
        highest, which = read.unflatten(0, (len(pairs), PLACES)).max(2)
        result[name] = {
            "away": away(torch.cat(of)) / usual,
            "sure": (highest >= SURE).double().mean().item(),
            "other": (which[..., None] != own).all(2).double().mean().item(),
        }
    straight = torch.tensor([length for length, _ in films["straight"]])
    for name, of_way in films.items():
        ratio = torch.tensor([length for length, _ in of_way]) / straight
        result[name]["length"] = ratio.median().item()

    fixed = torch.randint(len(images), (2, FIXED), generator=seeded(0))
    start, end = (model.codes(images[which]).mu for which in fixed)
    shortest = geometry.geodesic(model.decode, start, end, NODES).paths
    line = torch.lerp(start[:, None], end[:, None], torch.linspace(0, 1, NODES)[:, None])
    result["distances"] = {
        "decoder": [film(model.decode, path)[0] for path in shortest],
        "straight": [film(model.decode, path)[0] for path in line],
        "codes": (start - end).norm(dim=1).tolist(),
        "pixels": (images[fixed[0]] - images[fixed[1]]).flatten(1).norm(dim=1).tolist(),
    }
    return rounded(result)


digit_ways = Experiment(
    "digit_ways",
    row,
    {"seed": range(10)},
    uses=lambda seed: [recipe(seed).fingerprint],
    about={"pairs": 45, "members": MEMBERS},
)
