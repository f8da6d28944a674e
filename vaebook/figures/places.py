"""Places for words on a map."""

__all__ = ["spread_out"]

import numpy as np
from numpy.typing import NDArray

from vaebook import _checks
from vaebook.figures.pictures import Array, read_numbers

_STEPS = 300
_STEP = 0.1  # small: a crowd is not blown apart


def spread_out(places: Array, least: float) -> NDArray[np.float64]:
    """Return places, such as those of names, moved so that none lies on top of another.

    A place with room around it stays where it is, to a millionth of `least`. Any two that are too
    near push each other away, in 300 small steps, which is enough for some
    forty places.

    Args:
        places: [N, 2], finite; equal ones part too.
        least: the distance that any two should have, positive.

    Raises:
        ValueError: when an argument is unfit.

    Example:
        >>> spread_out([[1, 1], [1.2, 1], [5, 5]], 1.0).round(1).tolist()
        [[0.6, 1.0], [1.6, 1.0], [5.0, 5.0]]
    """
    given = read_numbers(places, "places", "[N, 2]")
    if given.shape[1] != 2:
        raise ValueError(f"places must be [N, 2], got shape {list(given.shape)}")
    _checks.number(least, "least", 0, 1e9, open=True)
    if given.size and least < 1e-5 * np.abs(given).max():
        raise ValueError(f"least is too small for places this far from 0, got {least:g}")

    # Each has a direction of its own, so that equal places part.
    turns = np.arange(len(given))
    moved = given + 1e-6 * least * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    for _ in range(_STEPS):
        gap = moved[:, None] - moved
        far = np.linalg.norm(gap, axis=2)
        np.fill_diagonal(far, np.inf)
        push = (1.02 * least - far).clip(0) / far
        moved += _STEP * (gap * push[..., None]).sum(axis=1)

    return moved
