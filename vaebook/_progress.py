"""The ground floor: one progress bar."""

__all__ = ["bar"]

from collections.abc import Iterable
from typing import Any


def bar(shown: bool, iterable: Iterable[Any] | None = None, **settings: Any) -> Any:
    """Return tqdm's bar on standard error, or one that stays silent.

    `TQDM_DISABLE` silences it too, as the build of a page does.

    Args:
        shown: whether it is to be seen.
        iterable: what it counts, where it doesn't count by hand.
        settings: of tqdm.

    Example:
        >>> list(bar(False, [1, 2, 3]))
        [1, 2, 3]
    """
    from tqdm.std import tqdm

    if not shown:
        settings["disable"] = True  # tqdm hears the variable only where this isn't given
    return tqdm(iterable, **settings)
