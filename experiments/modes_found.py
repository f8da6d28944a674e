r"""Which chains find the mode of an image's posterior, and what shows that one has not.

    make experiment NAME=modes_found

A row is one of twenty MNIST test images, the 1,200th to the 1,219th, under the model in the plane
or the one with 16 latent dimensions: eight chains of pCN from draws of the prior, and eight from
draws of q(z|x). Each set finds its own step for 30 % acceptance in a warm-up of 500 steps, for
this posterior alone, and then takes 1,000. In the plane a chain has found the mode where it ends
in the region of log p(x, z) less than 10 nats below the maximum over a grid, and in the piece of
that region that is connected with the maximum, which holds `mass` of the posterior on the grid;
`encoder_depth` and `encoder_mass` say, of the piece in which each of the encoder's chains ends,
how many nats below the maximum it rises and what it holds. In 16 dimensions a chain has found the
mode where it has reached the level above which the encoder's chains spend 99 % of their time.
`accepted` is the acceptance rate of each chain from the prior, `rhat` and `ess` are the worst of
all dimensions, of the chains from the prior, of those among them that found the mode (two or
more), and of the encoder's.

What decides, written down before the run; the unit is a posterior:

- a stuck chain accepts less: over the posteriors in the plane with chains of both kinds, the mean
  acceptance of the stuck ones is the lower in at least nine of ten;
- R-hat sees them: in the plane it is higher in all posteriors with chains of both kinds than in
  any whose chains all found the mode;
- the plane is the harder case: the share of chains that find the mode is the larger in 16
  dimensions, the 95 % t-interval of the mean difference over images lies above 0.

A first run, which asked for the 10 nats alone, counted chains at lower modes within them. Both
said no to the first: at a step found for the posterior at hand a stuck chain accepts less in nine
(then) and eleven (now) of eighteen. What gives it away is that its rate is another than that of
the chains at the mode, which agree with each other; `spread` of the summary, the largest minus
the smallest rate, was added afterwards. The first run asked only for an R-hat above 1.01, which
nearly every posterior has. The draws are the same in both runs. The chapter on pCN reads the
table.
"""

import math
import statistics
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy import ndimage, stats
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.latent import samplers
from vaebook.models import VAE
from vaebook.tables import Experiment

MODELS = ["mnist-mlp-2d", "mnist-cnn-16d"]
FIRST, IMAGES, CHAINS, WARMUP, STEPS = 1200, 20, 8, 500, 1000
SIDE, DEPTH = 201, 10.0


@cache
def model_and_images(name: str) -> tuple[VAE, Tensor]:
    images = datasets.mnist(train=False).images
    return recipes.load(name).model, images[FIRST : FIRST + IMAGES]


@cache
def grid(name: str) -> tuple[Tensor, Tensor]:
    axis = torch.linspace(-4, 4, SIDE)
    points = torch.cartesian_prod(axis, axis)
    return points, model_and_images(name)[0].decoder(points)


def pieces(joint: Tensor) -> Tensor:
    """Number the connected pieces of the grid less than DEPTH below its maximum; 0 elsewhere."""
    high = (joint > joint.max() - DEPTH).view(SIDE, SIDE).numpy()
    return torch.from_numpy(ndimage.label(high, np.ones((3, 3)))[0]).flatten()


def piece_of(z: Tensor, points: Tensor, numbers: Tensor) -> Tensor:
    """The number of the piece that is nearest to each z [K, 2]."""
    high = numbers > 0
    return numbers[high][torch.cdist(z, points[high]).argmin(1)]


def worst(chain: samplers.Chain) -> dict[str, float]:
    """R-hat and effective samples of the worst dimension."""
    return {"rhat": chain.rhat().max().item(), "ess": chain.ess().min().item()}


def row(model: str, image: int) -> dict[str, Any]:
    """Run both sets of chains on one posterior."""
    vae, images = model_and_images(model)
    x = images[image]
    log_l = vae.target(x)
    generator = Generator().manual_seed(image)

    def run(start: Tensor) -> samplers.Chain:
        return samplers.pcn(
            log_l, start, STEPS, 0.2, warmup=WARMUP, generator=generator, progress=False
        )

    def joint(z: Tensor) -> Tensor:
        return log_l(z) - 0.5 * z.square().sum(1)

    def of(chain: samplers.Chain, which: Tensor) -> samplers.Chain:
        return samplers.Chain(
            chain.positions[:, which], chain.moves[:, which], chain.log_target[:, which], 1
        )

    prior = run(torch.randn(CHAINS, vae.latent_dim, generator=generator))
    encoder = run(vae.codes(x.expand(CHAINS, -1, -1, -1)).sample(generator))
    with torch.no_grad():
        if vae.latent_dim == 2:
            points, outputs = grid(model)
            on_grid = vae.likelihood.log_prob_pairs(outputs, x[None])[0]
            on_grid = on_grid - 0.5 * points.square().sum(1)
            level = on_grid.max().item() - DEPTH
        else:
            level = joint(encoder.positions[::20].flatten(0, 1)).quantile(0.01).item()
        found = joint(prior.positions[-1]) > level
        home = joint(encoder.positions[-1]) > level
    where: dict[str, Any] = {"mass": None, "encoder_depth": None, "encoder_mass": None}
    if vae.latent_dim == 2:
        numbers, share = pieces(on_grid), on_grid.double().softmax(0)
        first = numbers[on_grid.argmax()]
        found &= piece_of(prior.positions[-1], points, numbers) == first
        ends = piece_of(encoder.positions[-1], points, numbers)
        depths = [(on_grid.max() - on_grid[numbers == end].max()).item() for end in ends]
        masses = [share[numbers == end].sum().item() for end in ends]
        where = {
            "mass": share[numbers == first].sum().item(),
            "encoder_depth": [
                round(depth, 2) if ok else None for depth, ok in zip(depths, home, strict=True)
            ],
            "encoder_mass": [
                float(f"{mass:.4g}") if ok else None for mass, ok in zip(masses, home, strict=True)
            ],
        }
        home &= ends == first
    mine = worst(of(prior, found)) if found.sum() > 1 else {"rhat": None, "ess": None}
    answer = {
        "step": prior.step,
        "accepted": [round(rate, 4) for rate in prior.acceptance_rate.tolist()],
        "found": found.int().tolist(),
        "encoder_found": home.double().mean().item(),
        "encoder_step": encoder.step,
    }
    answer |= where
    for name, values in (("", worst(prior)), ("found_", mine), ("encoder_", worst(encoder))):
        answer |= {name + key: value for key, value in values.items()}
    return {
        key: float(f"{value:.4g}") if isinstance(value, float) else value
        for key, value in answer.items()
    }


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, for each model, shares, acceptance and R-hat, and what decides."""
    summary: dict[str, Any] = {}
    shares = {}
    for model in MODELS:
        ours = [row for row in rows if row["model"] == model]
        shares[model] = [statistics.mean(row["found"]) for row in ours]
        mixed = [row for row in ours if 0 < sum(row["found"]) < CHAINS]
        agreed = [row for row in ours if sum(row["found"]) == CHAINS]
        pairs, spreads, agreeing = [], [], []
        for one in mixed:
            rates = {0: [], 1: []}  # type: dict[int, list[float]]
            for rate, found in zip(one["accepted"], one["found"], strict=True):
                rates[found].append(rate)
            pairs.append((statistics.mean(rates[0]), statistics.mean(rates[1])))
            spreads.append(max(one["accepted"]) - min(one["accepted"]))
            agreeing.append(max(rates[1]) - min(rates[1]))
        summary[model] = {
            "found": statistics.mean(shares[model]),
            "least": min(shares[model]),
            "most": max(shares[model]),
            "mixed": len(mixed),
            "stuck_lower": sum(stuck < free for stuck, free in pairs),
            "stuck_accepted": statistics.mean(stuck for stuck, _ in pairs) if pairs else None,
            "free_accepted": statistics.mean(free for _, free in pairs) if pairs else None,
            "spread": statistics.median(spreads) if spreads else None,
            "wide": sum(spread > 0.1 for spread in spreads),
            "spread_free": statistics.median(agreeing) if agreeing else None,
            "lowest_rhat": min(row["rhat"] for row in mixed) if mixed else None,
            "agree": len(agreed),
            "agree_rhat": max((row["rhat"] for row in agreed), default=None),
            "lowest_rhat_of_all": min(row["rhat"] for row in ours),
            "rhat": statistics.median(row["rhat"] for row in ours),
            "encoder_rhat": statistics.median(row["encoder_rhat"] for row in ours),
            "encoder_good": sum(
                row["encoder_rhat"] < 1.01 and row["encoder_ess"] >= 100 * CHAINS for row in ours
            ),
            "good": sum(row["rhat"] < 1.01 and row["ess"] >= 100 * CHAINS for row in ours),
            "lowest_step": min(row["step"] for row in ours),
            "highest_step": max(row["step"] for row in ours),
        }
    plane = [row for row in rows if row["model"] == MODELS[0]]
    missed = [row for row in plane if row["encoder_found"] == 0]
    # Where such chains ended within DEPTH of the maximum, after all.
    lower = [
        (depth, mass)
        for row in missed
        for depth, mass in zip(row["encoder_depth"], row["encoder_mass"], strict=True)
        if depth is not None
    ]
    summary["encoder_missed"] = {
        "images": len(missed),
        "chains": len(lower),
        "depth": [min(lower)[0], max(lower)[0]] if lower else None,
        "most_mass": max(mass for _, mass in lower) if lower else None,
    }
    summary["least_mass"] = min(row["mass"] for row in plane)
    differences = [b - a for a, b in zip(*shares.values(), strict=True)]
    half = stats.t.ppf(0.975, IMAGES - 1) * statistics.stdev(differences) / math.sqrt(IMAGES)
    mean = statistics.mean(differences)
    summary["difference"] = [float(f"{end:.4g}") for end in (mean - half, mean + half)]
    return summary


def weights_used(model: str, image: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.load(model).card["sha256"]]


modes_found = Experiment(
    "modes_found",
    row,
    {"model": MODELS, "image": range(IMAGES)},
    uses=weights_used,
    about={"images": IMAGES, "chains": CHAINS, "steps": STEPS},
    summarize=summarize,
)
