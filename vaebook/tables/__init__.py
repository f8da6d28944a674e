"""Results of the experiments that the pages quote, as data of the package.

Each table is what a script of the same name in `experiments/` has written. Its `stamp` names the
recipes that it is about with their fingerprints; a test holds them to the recipes of today.
"""

__all__ = ["available", "load"]

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def available() -> list[str]:
    """Return the names of all tables.

    Example:
        >>> "annealing" in available()
        True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    """Return a table, as the experiment has written it.

    Args:
        name: one of :func:`available`.

    Raises:
        ValueError: when there is no such table, with the nearest names.

    Example:
        >>> sorted(load("annealing")["ways"])
        ['cyclical', 'free bits', 'linear', 'mean image', 'none']
    """
    if name not in available():
        near = get_close_matches(str(name), available()) or available()
        raise ValueError(f"name must be a table, got {name!r}; there is {', '.join(near)}")
    table: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return table
