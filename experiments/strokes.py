"""What a digit varies in most, in the codes of a VAE and in its pixels.

    make experiment NAME=strokes

A stroke is the decoded class mean plus two standard deviations along the leading direction of a
class, minus the same with minus two: a picture whose sign is free. The page shows that those of
the same digit agree between five VAEs, `mnist-small-8d-s0` to `s4`, without training or images.
This study takes apart how much of that is in the images: a class has a leading direction there as
well, the first principal component of the pixels of its test images.

A row is about the VAE of a seed. Correlations are absolute, between pictures of 784 pixels:

- `own`: of the stroke of each digit with the component of the same digit, [10]; `other`: with
  those of the other nine digits, the mean;
- `seeds`: of the stroke of each digit with that of the same digit in the other four VAEs, the mean
  over the four, [10]; `left`: the same, when what either has of the digit's component is taken
  out of both;
- `components`: of the components of two digits, the mean over the 45 pairs; it is the same in all
  rows.

A referee had found `own`, `other` and `components` before this was written; `left` was added
before it was seen: the images are the reason why two VAEs agree, if `left` is less than half of
`seeds` in all five seeds, means over the digits.

The chapter on more than three dimensions reads the table.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vaebook import datasets, recipes
from vaebook.latent import mixtures
from vaebook.tables import Experiment

SEEDS, DIGITS = 5, 4
VAE_OF_SEED = "mnist-small-8d-s{}".format

Pictures = NDArray[np.float64]


@cache
def components() -> Pictures:
    """Return the first principal component of each digit's pixels, [10, 784]."""
    test = datasets.mnist(train=False)
    assert test.labels is not None
    found = []
    for c in range(10):
        pixels = test.images[test.labels == c].flatten(1).double()
        axes = torch.linalg.svd(pixels - pixels.mean(0), full_matrices=False).Vh
        found.append(axes[0])
    return torch.stack(found).numpy()


@cache
def strokes(seed: int) -> Pictures:
    """Return what is drawn along the leading direction of each digit, [10, 784]."""
    run = recipes.load(VAE_OF_SEED(seed))
    assert run.codes.labels is not None
    _, means, covariances = mixtures.class_moments(
        run.codes.mu.double(), run.codes.logvar, run.codes.labels
    )
    variances, directions = torch.linalg.eigh(covariances)
    step = 2 * variances[:, -1:].sqrt() * directions[:, :, -1]
    with torch.no_grad():
        ends = [run.model.decode((means + sign * step).float()) for sign in (1, -1)]
    return (ends[0] - ends[1]).flatten(1).double().numpy()


def centred(pictures: Pictures) -> Pictures:
    """Return pictures whose products are their correlations."""
    moved = pictures - pictures.mean(1, keepdims=True)
    unit: Pictures = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return unit


def without(pictures: Pictures, axes: Pictures) -> Pictures:
    """Return each picture less what it has of its axis."""
    axes, pictures = centred(axes), centred(pictures)
    return pictures - (pictures * axes).sum(1, keepdims=True) * axes


def alike(a: Pictures, b: Pictures) -> Pictures:
    """Return the absolute correlation of each picture with that of the same digit, [10]."""
    found: Pictures = np.abs((centred(a) * centred(b)).sum(1))
    return found


def rounded(values: Any) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def row(seed: int) -> dict[str, Any]:
    """Compare the strokes of a seed with the pixels and with the other seeds."""
    axes, own = components(), strokes(seed)
    crossed = np.abs(centred(own) @ centred(axes).T)
    among = np.abs(centred(axes) @ centred(axes).T)[np.triu_indices(10, 1)]
    others = [strokes(k) for k in range(SEEDS) if k != seed]
    left = [alike(without(own, axes), without(other, axes)) for other in others]
    return {
        "own": rounded(np.diag(crossed)),
        "other": round(float(crossed[~np.eye(10, dtype=bool)].mean()), DIGITS),
        "seeds": rounded(np.mean([alike(own, other) for other in others], 0)),
        "left": rounded(np.mean(left, 0)),
        "components": round(float(among.mean()), DIGITS),
    }


def weights_used(seed: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.load(VAE_OF_SEED(k)).card["sha256"] for k in range(SEEDS)]


strokes_of_digits = Experiment("strokes", row, {"seed": range(SEEDS)}, uses=weights_used)
