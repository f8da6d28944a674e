"""Tests of many values, of which each run takes some and `make test-all` every one."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest


def often(values: Sequence[Any], n: int, name: Callable[[Any], str] = str) -> list[Any]:
    """Values as parameters, at most n of them, evenly spread, for each run; the others weekly."""
    step = math.ceil(len(values) / n)
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            id=name(value),
            marks=[pytest.mark.weekly] if at % step else [],
        )
        for at, value in enumerate(values)
    ]
