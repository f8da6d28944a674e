r"""The refinement of q as a live figure: the gap of one image, and how much of it a climb wins."""

__all__ = ["refinement"]

import base64
import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from vaebook.live import pictures
from vaebook.live.figures import _check_images, _check_plane
from vaebook.live.pack import pack_decoder, seal
from vaebook.live.page import Live
from vaebook.measures.bounds import log_evidence_grid
from vaebook.models import VAE
from vaebook.objectives import kl_divergence

_NODES = 8  # of Gauss and Hermite in each dimension, as on the page
_CELLS = 96  # of the posterior's shade, along a side
_FINE = 2  # places in a cell, along a side, of which the highest counts
_FAINT = (0.2, 30.0)  # how dark it is beside the posterior, and how many nats it reaches down
_FACTOR = 2.0  # of the encoder's widths, to which the dials reach
_AT_ONCE = 4096  # places of a grid
_RUN = {"linear", "relu", "reshape"}  # layers whose slopes the page knows


def refinement(model: VAE, images: Tensor, *, alt: str) -> Live:
    r"""The gap of one image's ELBO, split, and the climb of its q from the encoder's or elsewhere.

    .. math:: \log p(x) - \mathcal{L}(q) = \underbrace{\log p(x) - \mathcal{L}(q^*)}_{
        \text{approximation}} + \underbrace{\mathcal{L}(q^*) - \mathcal{L}(q)}_{
        \text{amortisation}}

    with q the encoder's and q* the best diagonal Gaussian of the image. The page climbs the ELBO
    by Adam; the ELBO and its gradient come from 64 nodes of Gauss and Hermite. The reader drags
    the mean of q away, sets its widths, and lets it climb from there. The evidence by a sum over a
    grid, the posterior's shade, and q*, the better end of two climbs by L-BFGS, from the encoder's
    q and from the highest place of the posterior, are computed beforehand.

    Where units of the decoder bend within q, 64 nodes are off: by some hundredths of a nat for a q
    as wide as the posterior, by half a nat for one that is twice as wide. Measured by a
    finer rule, the q that is best by these nodes may fall short by another hundredth of a nat.

    Args:
        model: a VAE with two latent dimensions, the prior N(0, I), Bernoulli pixels, and a fully
            connected decoder of ReLU units. The page has its weights in half precision, with which
            all is computed.
        images: to choose from, [E, C, H, W] in [0, 1], kept in 8 bits; three to six are enough.
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: for a model of another kind, images of another size, no images, values that are
            not finite or beyond [0, 1], or an image whose posterior no grid resolves.

    Source:
        Inference suboptimality in variational autoencoders (Cremer, Li and Duvenaud, ICML 2018) |
        https://arxiv.org/abs/1801.03558

    Example:
        >>> from vaebook import datasets, recipes
        >>> model, images = recipes.load("digits-mlp-2d").model, datasets.digits().images[:2]
        >>> live = refinement(model, images, alt="An ellipse that climbs.")
        >>> shown = live.config["images"][0]
        >>> shown["encoder"]["elbo"] < shown["best"]["elbo"] < shown["evidence"]
        True
    """
    _check_plane(model)
    packed = pack_decoder(model, "float16")
    other = {layer["op"] for layer in packed["layers"]} - _RUN
    if other:
        raise ValueError(
            "model must have a fully connected decoder of ReLU units, got one with "
            f"{', '.join(sorted(other))}"
        )
    _check_images(images, "images", ["E", *packed["output"]])
    name, text = seal(packed)
    # What the page has: weights in half precision, pixels in 8 bits, and no gradient of weights.
    model = copy.deepcopy(model).cpu().half().float().eval().requires_grad_(False)
    images = (255 * images.detach().cpu()).round().float() / 255
    evidence = log_evidence_grid(model, images).tolist()
    summits = _summits(model, images).double()
    exact = copy.deepcopy(model).double()
    known = zip(images.double(), summits, evidence, strict=True)
    shown = [_looked_at(exact, *one) for one in known]
    roots, masses = _rule()
    first = shown[0]
    config = {
        "model": name,
        "images": shown,
        "nodes": {"roots": roots.tolist(), "masses": masses.tolist()},
        "factor": _FACTOR,
        "start": [*first["encoder"]["mu"], *first["encoder"]["sigma"]],
    }
    with torch.no_grad():
        decoded = model.decode(torch.tensor([first["best"]["mu"]]))[0]
    drawn = {
        "posterior": _drawn(first),
        "image": pictures.picture(images[0]),
        "decoded image": pictures.picture(decoded),
    }
    bounds = [*2 * [(-math.inf, math.inf)], *2 * [(1e-4, math.inf)]]
    return Live("vaebook-refinement", config, {name: text}, drawn, bounds, alt)


def _rule() -> tuple[Tensor, Tensor]:
    """Gauss and Hermite for a standard normal variable: places and weights, [8] each."""
    roots, masses = np.polynomial.hermite_e.hermegauss(_NODES)
    return torch.tensor(roots), torch.tensor(masses / masses.sum())


def _elbo(model: VAE, image: Tensor, q: Tensor) -> Tensor:
    """Of a Gaussian with these means and logarithms of standard deviations, [4], nats."""
    roots, masses = _rule()
    places, weights = torch.cartesian_prod(roots, roots), torch.outer(masses, masses).flatten()
    z = q[:2] + q[2:].exp() * places
    fit = model.log_prob(image.expand(len(z), *image.shape), z) @ weights
    return fit - kl_divergence(q[None, :2], 2 * q[None, 2:])[0]


@torch.enable_grad()
def _climbed(model: VAE, image: Tensor, start: Tensor) -> tuple[float, Tensor]:
    """The top that L-BFGS finds from here, in double precision: its ELBO and its q."""
    unit = torch.cat([start[2:].exp(), torch.ones(2)]).double()  # all bend alike in these
    moves = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([moves], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = -_elbo(model, image, start + unit * moves)
        found.backward()
        return found

    for _ in range(2):  # from a kink of the units it may go on
        optimiser.step(loss)
        optimiser.state.clear()
    q = (start + unit * moves).detach()
    return _elbo(model, image, q).item(), q


def _log_joint(model: VAE, images: Tensor, middle: Tensor, half: float, cells: int) -> Tensor:
    """log p(x, z) on a square about a place, row by row from the top, [N, cells * cells]."""
    parts = [
        model.likelihood.log_prob_pairs(model.outputs(z), images) + model.prior.log_prob(z)
        for z in (middle + half * _square(cells, middle)).split(_AT_ONCE)
    ]
    return torch.cat(parts, 1)


def _square(cells: int, like: Tensor) -> Tensor:
    axis = torch.linspace(-1, 1, cells, dtype=like.dtype)
    y, x = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)


def _summits(model: VAE, images: Tensor) -> Tensor:
    """The highest place of each posterior on a grid over the prior, [N, 2]."""
    half, cells = 4.0, 161
    middle = images.new_zeros(2)
    highest = _log_joint(model, images, middle, half, cells).argmax(1)
    return half * _square(cells, middle)[highest]


def _looked_at(model: VAE, image: Tensor, summit: Tensor, evidence: float) -> dict[str, Any]:
    """What the page knows of an image: its pixels, both q's, and the posterior about them."""
    codes = model.codes(image[None])
    assert codes.logvar is not None
    own = torch.cat([codes.mu[0], 0.5 * codes.logvar[0]])
    starts = own, torch.cat([summit, own[2:]])
    level, best = max((_climbed(model, image, start) for start in starts), key=lambda top: top[0])
    # The square is about the encoder's mean, where the page opens, and holds both q's.
    reach = (best[:2] - own[:2]).abs() + 5 * torch.maximum(best[2:], own[2:]).exp()
    half = 1.1 * reach.max().item()
    below = _log_joint(model, image[None], own[:2], half, _FINE * _CELLS)
    below = max_pool2d(below.view(1, 1, _FINE * _CELLS, -1), _FINE).flatten()
    below -= below.max()
    dark, reach_down = _FAINT
    shade = torch.maximum(below.exp(), dark * (1 + below / reach_down))
    return {
        "pixels": pictures.bytes_of(image),
        "encoder": _written(own, _elbo(model, image, own).item()),
        "best": _written(best, level),
        "evidence": evidence,
        "half": half,
        "shade": pictures.bytes_of(shade.clamp(0, 1)),
    }


def _written(q: Tensor, level: float) -> dict[str, Any]:
    return {"mu": q[:2].tolist(), "sigma": q[2:].exp().tolist(), "elbo": level}


def _drawn(shown: dict[str, Any]) -> str:
    """The posterior of an image, and two standard deviations of both q's."""
    half, middle = shown["half"], torch.tensor(shown["encoder"]["mu"])
    angle = torch.linspace(0, 2 * math.pi, 241)
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    lines = [
        torch.tensor(q["mu"]) - middle + 2 * torch.tensor(q["sigma"]) * circle
        for q in (shown["encoder"], shown["best"])
    ]
    data = base64.b64decode(shown["shade"])
    shade = torch.tensor(list(data)).view(_CELLS, _CELLS).float() / 255
    labels = torch.arange(2).repeat_interleave(len(circle))
    names = ("the encoder's q", "the best q")
    under = shade.flip(0).T
    return pictures.cloud(torch.cat(lines), labels, names, half, under=under)
