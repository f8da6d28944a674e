r"""What half a digit leaves open.

    make experiment NAME=half_digits

A row is one of twenty MNIST test images, the 2,000th to the 2,019th, of which more and more rows
are seen from the top. For each number of rows 16 chains of pCN run on p(z | seen pixels) under the
model with 20 latent dimensions, at the step that a warm-up finds for 30 % acceptance, for 9,000
steps, each from where it stood with fewer rows, from draws of the prior at first. The shipped
classifier, which was trained on other images, reads what every thirtieth state decodes to, 4,800
completions; where nothing is seen they are as many draws of the prior. With p its prediction for
one completion,

.. math:: H(\overline p) - \overline{H(p)}

is the information that a completion gives about the class, `information`: 0 where all
completions are read alike, however doubtful each is. The mean of H(p), `doubt`, is the
classifier's doubt about single completions. `spread` is the standard deviation over completions
of the pixels in the lowest ten rows, `right` the share of completions read as the class of the
image, `rhat` the largest R-hat of the classifier's log-probability of that class and of
log p(seen | z).

What decides, written down before the run; the unit is an image, of this one model:

- the information falls with the rows seen: the rank correlation between the two over rows is
  below 0 for at least 18 of the 20 images;
- half of an image leaves something open: with 14 rows seen the 95 % t-interval of the mean
  information lies above .05 nats;
- the doubt about single completions does not explain it: with nothing seen the information is
  more than twice the doubt, on average over images.

The forms are those of the first run, whose chains took 300 steps and of which only the sixteen
last states were read. Its R-hat was above 1.1 nearly everywhere and 2.1 at most, and what sixteen
completions show is too little on average; a referee asked for longer chains. Where nothing is
seen the images differ in their seeds alone, and no chain runs: there `rhat` is 1. The summary
counts the other entries: `rhat_above_1.1` and `rhat_above_1.01` are shares of them.

The chapter on the ways to sample reads the table.
"""

import math
import statistics
from functools import cache
from typing import Any

import torch
from scipy import stats
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.latent import samplers
from vaebook.tables import Experiment

MODEL, JUDGE = "mnist-mlp-20d", "mnist-classifier"
FIRST, IMAGES, CHAINS, WARMUP, STEPS = 2000, 20, 16, 300, 9000
THIN = 30
ROWS = [0, 6, 10, 14, 18, 22, 28]


@cache
def models_and_images() -> tuple[Any, Any, Tensor, Tensor]:
    test = datasets.mnist(train=False)[FIRST : FIRST + IMAGES]
    assert test.labels is not None
    return recipes.load(MODEL).model, recipes.load(JUDGE).model, test.images, test.labels


def row(image: int) -> dict[str, Any]:
    """Uncover one image from the top."""
    model, judge, images, labels = models_and_images()
    label = int(labels[image])
    generator = Generator().manual_seed(image)
    z = torch.randn(CHAINS, model.latent_dim, generator=generator)
    found: dict[str, list[float]] = {
        key: [] for key in ("information", "doubt", "spread", "right", "rhat")
    }

    def read(z: Tensor) -> Tensor:
        with torch.no_grad():
            return judge(model.decode(z)).log_softmax(1)

    for rows in ROWS:
        rhat = 1.0  # draws of the prior are exact
        if rows:
            seen = torch.zeros(28, 28, dtype=torch.bool)
            seen[:rows] = True
            chain = samplers.pcn(
                model.target(images[image], mask=seen),
                z,
                STEPS,
                0.3,
                warmup=WARMUP,
                thin=THIN,
                generator=generator,
                progress=False,
            )
            z = chain.positions[-1]
            states = chain.positions.flatten(0, 1)
            traces = [chain.log_target.float(), read(states)[:, label]]
            watched = torch.stack([trace.view(STEPS // THIN, CHAINS) for trace in traces], 2)
            # What the chains are asked about, not the coordinates, which turn freely.
            watching = samplers.Chain(watched, chain.moves, chain.log_target, 1)
            rhat = watching.rhat().max().item()
        else:
            many = (CHAINS * STEPS // THIN, model.latent_dim)
            states = torch.randn(many, generator=generator)
        p = read(states).exp()
        doubt = torch.special.entr(p).sum(1).mean().item()
        with torch.no_grad():
            hidden = model.decode(states)[:, :, 18:]
        found["doubt"].append(doubt)
        found["information"].append(torch.special.entr(p.mean(0)).sum().item() - doubt)
        found["spread"].append(hidden.std(0).mean().item())
        found["right"].append((p.argmax(1) == label).double().mean().item())
        found["rhat"].append(rhat)
    return {"label": label} | {
        key: [float(f"{value:.4g}") for value in values] for key, values in found.items()
    }


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means and intervals over images for each number of rows, and what decides."""
    summary: dict[str, Any] = {}
    for key in ("information", "doubt", "spread", "right"):
        columns = list(zip(*(row[key] for row in rows), strict=True))
        half = [
            stats.t.ppf(0.975, IMAGES - 1) * statistics.stdev(column) / math.sqrt(IMAGES)
            for column in columns
        ]
        summary[key] = [float(f"{statistics.mean(column):.4g}") for column in columns]
        summary[f"{key}_half_width"] = [float(f"{value:.4g}") for value in half]
    falls = [stats.spearmanr(ROWS, row["information"]).statistic < 0 for row in rows]
    rhats = [value for row in rows for value in row["rhat"][1:]]
    return summary | {
        "falling": sum(map(bool, falls)),
        "largest_rhat": max(rhats),
        "median_rhat": statistics.median(rhats),
        "rhat_above_1.1": sum(value > 1.1 for value in rhats) / len(rhats),
        "rhat_above_1.01": sum(value > 1.01 for value in rhats) / len(rhats),
    }


def weights_used(image: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.load(name).card["sha256"] for name in (MODEL, JUDGE)]


half_digits = Experiment(
    "half_digits",
    row,
    {"image": range(IMAGES)},
    uses=weights_used,
    about={"rows": ROWS, "images": IMAGES, "steps": STEPS, "chains": CHAINS, "thin": THIN},
    summarize=summarize,
)
