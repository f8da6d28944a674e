r"""Where the gap of the ELBO comes from: the shape of q, or the encoder that chooses it.

    make experiment NAME=encoder_gap

With q the encoder's, q* the best diagonal normal distribution of an image and p its posterior,

.. math:: \log p(x) - L(q) = KL(q^* \| p) + [L(q^*) - L(q)],

approximation and amortisation (Cremer, Li & Duvenaud 2018, https://arxiv.org/abs/1801.03558).
A row is ten of 100 test images, the 1,000th to the 1,099th, under a model in the plane, where
log p(x) is a sum over a grid. L is a sum over 10 x 10 nodes of Gauss and Hermite. Adam climbs it,
at first with 5 x 5, from the encoder's q, and with the encoder's widths from the highest three
places of the posterior that are 0.3 apart; the best end counts. Each climb has 60 steps. Twice
more it starts at the encoder's q and moves only the means, or only the widths; and once with 600
steps, to tell what no climb from there reaches from what is only too far for 60.

Controls in each row: KL(q || p) and KL(q* || p), summed over a grid of 101 x 101 points that
holds both, against log p(x) - L; the largest rise of L by a move of q* by a tenth of its widths,
or by a factor of 1.1, one of eight; and how much the best end lies above those of the start at
the encoder's q, after 60 steps and after 600.

What decides, written down before the run; the units are images, of these two models:

- amortisation is the larger part: its share of the mean gap has a 95 % bootstrap interval above
  one half, for both models;
- in the half of the images with the smaller gaps q lies slightly off: moving only its means wins
  more nats than changing only its widths, on average over them with a 95 % interval of the mean
  difference above 0, for both models;
- there the encoder's widths are about the best: the median of their ratio to those of q* lies in
  [0.9, 1.1], for both models.

A run counts as converged where no control is off by more than 0.02 nats in 95 of 100 images. The
chapter on pCN reads the table.
"""

import statistics
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaebook import datasets, recipes
from vaebook.measures import bounds
from vaebook.models import VAE
from vaebook.tables import Experiment

MODELS = {"mnist-mlp-2d": "mnist", "fashion-mlp-2d": "fashion_mnist"}
FIRST, CHUNKS, CHUNK = 1000, 10, 10
NODES, FEW, STARTS, APART = 10, 5, 4, 0.3
SHORT, LONG, RATE = 60, 600, 0.1


@cache
def model_and_images(name: str) -> tuple[VAE, Tensor]:
    images = getattr(datasets, MODELS[name])(train=False).images
    return recipes.load(name).model, images[FIRST : FIRST + CHUNKS * CHUNK]


@cache
def nodes(n: int) -> tuple[Tensor, Tensor]:
    """Gauss and Hermite for two standard normal variables: places [n*n, 2], weights [n*n]."""
    roots, masses = np.polynomial.hermite_e.hermegauss(n)
    places = torch.tensor(roots, dtype=torch.float32)
    weights = torch.tensor(masses / masses.sum(), dtype=torch.float32)
    return torch.cartesian_prod(places, places), torch.outer(weights, weights).flatten()


def elbo(model: VAE, images: Tensor, mu: Tensor, log_std: Tensor, n: int = NODES) -> Tensor:
    """L of one q per image, [N], nats."""
    places, weights = nodes(n)
    z = mu[:, None] + log_std.exp()[:, None] * places
    log_l = model.log_prob(images.repeat_interleave(len(places), 0), z.flatten(0, 1))
    kl = 0.5 * (mu.square() + (2 * log_std).exp() - 1).sum(1) - log_std.sum(1)
    return log_l.view(len(images), -1) @ weights - kl


def climb(
    model: VAE,
    images: Tensor,
    mu: Tensor,
    log_std: Tensor,
    moves: tuple[bool, bool],
    n: int,
    steps: int = SHORT,
) -> tuple[Tensor, Tensor]:
    """Adam on L over means, log widths, or both; a mean moves in units of the first widths."""
    unit = log_std.exp()
    shift = torch.zeros_like(mu, requires_grad=moves[0])
    stretch = torch.zeros_like(mu, requires_grad=moves[1])
    free = [part for part in (shift, stretch) if part.requires_grad]
    optimiser = torch.optim.Adam(free, lr=RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        value = elbo(model, images, mu + unit * shift, log_std + stretch, n).sum()
        for part, slope in zip(free, torch.autograd.grad(-value, free), strict=True):
            part.grad = slope
        optimiser.step()
        schedule.step()
    return (mu + unit * shift).detach(), (log_std + stretch).detach()


def on_grid(model: VAE, images: Tensor) -> tuple[Tensor, Tensor]:
    """The points of a grid [M, 2], and log p(x, z) of each image there [N, M]."""
    axis = torch.linspace(-4.5, 4.5, 181)
    points = torch.cartesian_prod(axis, axis)
    log_l = model.likelihood.log_prob_pairs(model.decoder(points), images)
    return points, log_l - 0.5 * points.square().sum(1)


def summits(points: Tensor, joint: Tensor) -> Tensor:
    """The highest places of each posterior, APART from each other, [N, STARTS - 1, 2]."""
    found = []
    for _ in range(STARTS - 1):
        best = points[joint.argmax(1)]
        found.append(best)
        joint = joint.masked_fill(torch.cdist(best, points) < APART, -torch.inf)
    return torch.stack(found, 1)


def divergence(
    model: VAE, image: Tensor, likely: Tensor, mu: Tensor, log_std: Tensor, n: int = 101
) -> float:
    """KL(q || p), summed over a window that holds q and the likely points of p."""
    std = log_std.exp()
    low = torch.minimum(likely.amin(0) - 0.1, mu - 5 * std)
    high = torch.maximum(likely.amax(0) + 0.1, mu + 5 * std)
    z = torch.cartesian_prod(*(torch.linspace(low[i].item(), high[i].item(), n) for i in (0, 1)))
    log_p = (model.target(image)(z) - 0.5 * z.square().sum(1)).double().log_softmax(0)
    log_q = (-0.5 * ((z - mu) / std).square().sum(1)).double().log_softmax(0)
    return (log_q.exp() * (log_q - log_p)).sum().item()


def rise_nearby(model: VAE, images: Tensor, mu: Tensor, log_std: Tensor) -> Tensor:
    """The largest rise of L by one small move of one mean or width, [N]."""
    here, rises = elbo(model, images, mu, log_std), []
    for j in (0, 1):
        for sign in (-0.1, 0.1):
            move = torch.zeros(2)
            move[j] = sign
            rises.append(elbo(model, images, mu + move * log_std.exp(), log_std) - here)
            rises.append(elbo(model, images, mu, log_std + move) - here)
    return torch.stack(rises).amax(0)


def row(model: str, chunk: int) -> dict[str, Any]:
    """Split the gaps of ten images."""
    vae, all_images = model_and_images(model)
    vae.requires_grad_(False)
    images = all_images[CHUNK * chunk : CHUNK * (chunk + 1)]
    codes = vae.codes(images)
    assert codes.logvar is not None
    mu, log_std = codes.mu, 0.5 * codes.logvar
    with torch.no_grad():
        points, joint = on_grid(vae, images)
    starts = torch.cat([mu[:, None], summits(points, joint)], 1).flatten(0, 1)
    widths = log_std.repeat_interleave(STARTS, 0)
    repeated = images.repeat_interleave(STARTS, 0)
    ends = climb(vae, repeated, starts, widths, (True, True), FEW)
    reached = elbo(vae, repeated, *ends).view(-1, STARTS)
    best = torch.arange(len(images)) * STARTS + reached.argmax(1)
    q = climb(vae, images, ends[0][best], ends[1][best], (True, True), NODES)
    only = [
        climb(vae, images, mu, log_std, moves, FEW) for moves in ((True, False), (False, True))
    ]
    long = climb(vae, images, mu, log_std, (True, True), FEW, LONG)
    with torch.no_grad():
        log_p = bounds.log_evidence_grid(vae, images)
        first, last = elbo(vae, images, mu, log_std), elbo(vae, images, *q)
        exact = [
            [
                divergence(vae, x, points[level > level.max() - 14], *q_of)
                for x, level, *q_of in zip(images, joint, *q_, strict=True)
            ]
            for q_ in ((mu, log_std), q)
        ]
        found = {
            "gap": log_p - first,
            "approximation": log_p - last,
            "means_win": elbo(vae, images, *only[0]) - first,
            "widths_win": elbo(vae, images, *only[1]) - first,
            "width_ratio": (log_std - q[1]).mean(1).exp(),
            "shift": ((q[0] - mu) / q[1].exp()).norm(dim=1),
            "grid_gap": torch.tensor(exact[0]),
            "grid_approximation": torch.tensor(exact[1]),
            "rise_nearby": rise_nearby(vae, images, *q),
            "above_own_start": last - reached[:, 0],
            "above_long_climb": last - elbo(vae, images, *long),
        }
    return {key: [round(value, 5) for value in part.tolist()] for key, part in found.items()}


def interval(values: np.ndarray, statistic: Any = np.mean) -> list[float]:
    """The 95 % bootstrap interval over images (axis 0), 5,000 resamples."""
    rng = np.random.default_rng(0)
    drawn = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(5000)]
    return [float(f"{end:.4g}") for end in np.quantile(drawn, [0.025, 0.975])]


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, for each model, the parts of the gap and what the controls say."""
    summary: dict[str, Any] = {}
    for name in MODELS:
        ours = [row for row in rows if row["model"] == name]
        of = {
            key: np.array([value for row in ours for value in row[key]])
            for key in ours[0]
            if isinstance(ours[0][key], list)
        }
        gap, rest = of["gap"], of["approximation"]
        small = gap <= np.median(gap)
        pairs = np.stack([gap, rest], 1)
        off = np.maximum(
            np.maximum(np.abs(gap - of["grid_gap"]), np.abs(rest - of["grid_approximation"])),
            of["rise_nearby"],
        )
        summary[name] = {
            "gap": gap.mean(),
            "approximation": rest.mean(),
            "share": 1 - rest.mean() / gap.mean(),
            "share_interval": interval(pairs, lambda p: 1 - p[:, 1].mean() / p[:, 0].mean()),
            "small_gap": gap[small].mean(),
            "small_approximation": rest[small].mean(),
            "small_means_win": of["means_win"][small].mean(),
            "small_widths_win": of["widths_win"][small].mean(),
            "small_difference": interval((of["means_win"] - of["widths_win"])[small]),
            "small_width_ratio": statistics.median(of["width_ratio"][small].tolist()),
            "top_tenth": np.sort(gap)[-len(gap) // 10 :].sum() / gap.sum(),
            "median_share": np.median(1 - rest / gap),
            "small_median_share": np.median((1 - rest / gap)[small]),
            "elsewhere": float((of["above_own_start"] > 0.1).mean()),
            "out_of_reach": float(
                (np.minimum(of["above_own_start"], of["above_long_climb"]) > 0.1).mean()
            ),
            "converged": float((off <= 0.02).mean()),
            "most_off": off.max(),
        }
        summary[name] = {
            key: value if isinstance(value, list) else float(f"{value:.4g}")
            for key, value in summary[name].items()
        }
    return summary


def weights_used(model: str, chunk: int) -> list[str]:
    """Return what decides a row beside this file."""
    return [recipes.load(model).card["sha256"]]


encoder_gap = Experiment(
    "encoder_gap",
    row,
    {"model": list(MODELS), "chunk": range(CHUNKS)},
    uses=weights_used,
    about={"first": FIRST, "images": CHUNKS * CHUNK},
    summarize=summarize,
)
