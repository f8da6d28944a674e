"""Gumbel-softmax on the triangle of three categories as a live figure."""

__all__ = ["simplex"]

from collections.abc import Sequence

import torch

from vaebook import _checks
from vaebook.figures.renderer import CATEGORICAL
from vaebook.live import pictures
from vaebook.live.page import Live

_LADDER = (0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0)
_CORNERS = ((-(3**0.5) / 2, -0.75), (3**0.5 / 2, -0.75), (0.0, 0.75))
_AIM = (1.0, -1.0, 0.5)
_EXTENT = 1.05
_PRINTED = (2.0, 0.7, 0.3, 0.1)  # temperatures of the pictures
_FARTHEST = 4.0  # of a logit


def simplex(
    *,
    alt: str,
    temperature: float = 0.5,
    probabilities: Sequence[float] = (0.55, 0.3, 0.15),
    seed: int = 0,
) -> Live:
    r"""Draws of Gumbel-softmax in a triangle, and bias and noise of the gradient that they give.

    The reader dials the temperature and the logits of three categories, or drags the
    probabilities. The gradient is that of :math:`\mathbb{E} f(e_z)` in the logits for
    :math:`f(y) = (a \cdot y)^2 + a \cdot y` with
    :math:`a = (1, -1, 1/2)`; its exact value is a sum over three corners.

    Args:
        alt: what is to be seen, for those who cannot see it.
        temperature: one of 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.4, 2, 3 and 5.
        probabilities: of the categories at the start, three that sum to 1, none below 0.001.
        seed: of the draws in the pictures for print, at four temperatures.

    Raises:
        ValueError: for a temperature off the ladder, other probabilities, or a negative seed.

    Example:
        >>> simplex(alt="A triangle of draws.", temperature=0.3).config["start"]
        [0.3, 0.64, 0.03, -0.66]
    """
    if temperature not in _LADDER:
        rungs = ", ".join(f"{rung:g}" for rung in _LADDER)
        raise ValueError(f"temperature must be one of {rungs}, got {temperature!r}")
    if not isinstance(probabilities, Sequence) or len(probabilities) != 3:
        raise ValueError(f"probabilities must be three numbers, got {probabilities!r}")
    for share in probabilities:
        _checks.number(share, "each of probabilities", 1e-3, 1)
    if abs(sum(probabilities) - 1) > 1e-6:
        raise ValueError(f"probabilities must sum to 1, got {sum(probabilities):g}")
    _checks.count(seed, "seed", 0)

    logs = torch.tensor(probabilities, dtype=torch.float64).log()
    logits = [round(value, 2) for value in (logs - logs.mean()).tolist()]
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for printed in _PRINTED:
        noise = -torch.empty(500, 3).exponential_(generator=generator).log()
        y = ((torch.tensor(logits) + noise) / printed).softmax(1)
        at = y @ torch.tensor(_CORNERS)
        names = [str(k + 1) for k in range(3)]
        drawn[f"temperature {printed:g}"] = pictures.cloud(at, y.argmax(1), names, _EXTENT)
    config = {
        "start": [float(temperature), *logits],
        "choices": list(_LADDER),
        "aim": list(_AIM),
        "corners": [list(corner) for corner in _CORNERS],
        "plane": {"names": ["1", "2", "3"], "colours": CATEGORICAL, "extent": _EXTENT},
    }
    bounds = [(_LADDER[0], _LADDER[-1]), *(3 * [(-_FARTHEST, _FARTHEST)])]
    return Live("vaebook-simplex", config, {}, drawn, bounds, alt)
