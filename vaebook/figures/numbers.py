"""Numbers as a page writes them."""

__all__ = ["between", "number", "plain", "ranged"]

import numpy as np
from torch import Tensor

from vaebook import _checks

_MINUS = "\N{MINUS SIGN}"


def number(value: float | Tensor, digits: int = 2, *, sign: bool = False) -> str:
    """Return a number in decimals, with a true minus sign and commas between thousands.

    A number that rounds to zero has no sign.

    Args:
        value: finite; a number of Python or numpy, or a tensor with one entry.
        digits: after the point.
        sign: a plus before what is positive.

    Raises:
        ValueError: for what is no number, NaN or infinity.

    Example:
        >>> number(-1234.567), number(1234.567, 0, sign=True), number(-0.001)
        ('−1,234.57', '+1,235', '0.00')
    """
    real = _real(value, "value")
    _checks.count(digits, "digits", 0)
    text = f"{abs(real):,.{digits}f}"
    if not text.strip("0.,"):
        return text
    return (_MINUS if real < 0 else "+" if sign else "") + text


def between(low: float | Tensor, high: float | Tensor, digits: int = 2) -> str:
    """Return a range in words, and one number where both ends are written alike.

    Args:
        low, high: finite, as in :func:`number`.
        digits: after the point.

    Raises:
        ValueError: for what is no number, and where low is above high.

    Example:
        >>> between(2.6, 4.96, 1), between(2.96, 3.04, 1)
        ('2.6 to 5.0', '3.0')
    """
    ends = _real(low, "low"), _real(high, "high")
    if ends[0] > ends[1]:
        raise ValueError(f"low must not be above high, got {ends[0]} and {ends[1]}")
    first, last = (number(end, digits) for end in ends)
    return first if first == last else f"{first} to {last}"


def ranged(
    value: float | Tensor, low: float | Tensor, high: float | Tensor, digits: int = 2
) -> str:
    """Return a number with a range in brackets, and one number where all are written alike.

    Args:
        value: a mean or median, say, finite as in :func:`number`.
        low: where the range begins, finite.
        high: where it ends, finite.
        digits: after the point.

    Raises:
        ValueError: for what is no number, and where low is above high.

    Example:
        >>> ranged(1.5, -1, 2, 1), ranged(3.01, 2.96, 3.04, 1)
        ('1.5 (−1.0 to 2.0)', '3.0')
    """
    middle, ends = number(value, digits), between(low, high, digits)
    return middle if middle == ends else f"{middle} ({ends})"


def plain(value: object) -> object:
    """Return what a tensor with one entry, or a number of numpy, is in Python; all else as it is.

    Example:
        >>> plain(np.int64(3)), plain("three")
        (3, 'three')
    """
    if isinstance(value, Tensor) and value.numel() == 1 and value.device.type != "meta":
        return value.detach().cpu().item()
    return value.item() if isinstance(value, np.generic) else value


def _real(value: object, name: str) -> float:
    value = plain(value)
    _checks.number(value, name)
    return float(value)  # type: ignore[arg-type]
