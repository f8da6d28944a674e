"""Numbers as a page writes them."""

import math
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaebook.figures import between, number, ranged

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def read(text: str) -> Decimal:
    """What a reader takes a number for."""
    return Decimal(text.replace("−", "-").replace(",", ""))


@given(FINITE, st.integers(0, 6), st.booleans())
def test_a_number_is_read_back_as_it_was_rounded(value, digits, sign):
    text = number(value, digits, sign=sign)
    exact = Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN) if (
        abs(value) < 1e20
    ) else Decimal(value)  # fmt: skip
    assert read(text) == exact
    assert "-" not in text
    assert text.startswith(("+", "−")) == (exact != 0 and (sign or exact < 0))


@given(st.integers(-(10**15), 10**15))
def test_thousands_are_parted_by_commas(value):
    groups = number(value, 0).removeprefix("−").split(",")
    assert 1 <= len(groups[0]) <= 3
    assert all(len(group) == 3 for group in groups[1:])


def test_what_rounds_to_zero_has_no_sign():
    for value in (0.0, -0.0, -0.004, 0.004):
        assert number(value) == "0.00"
        assert number(value, 0, sign=True) == "0"
    assert number(-0.006) == "−0.01"


def test_numbers_of_torch_and_numpy_are_numbers():
    for value in (1.5, np.float32(1.5), np.float64(1.5), torch.tensor(1.5), torch.tensor([1.5])):
        assert number(value) == "1.50"
    assert number(np.int64(12345), 0) == "12,345"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, torch.tensor(math.nan)])
def test_what_is_no_finite_number_is_refused_by_name(value):
    with pytest.raises(ValueError, match="value must be a finite number"):
        number(value)
    with pytest.raises(ValueError, match="high must be a finite number"):
        between(0, value)


@pytest.mark.parametrize("value", [None, "1", True, [1.0], torch.zeros(2), 1j])
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(ValueError, match="value must be a finite number"):
        number(value)


def test_a_range_is_read_in_words_and_equal_ends_once():
    assert between(-3, -1, 0) == "−3 to −1"
    assert between(2.96, 3.04, 1) == "3.0"
    assert between(-0.001, 0.001, 2) == "0.00"
    with pytest.raises(ValueError, match="low must not be above high, got 2"):
        between(2, 1)


def test_a_range_stands_in_brackets_where_it_says_more():
    assert ranged(1234.5, -1.0, 2000.0, 0) == "1,234 (−1 to 2,000)"
    assert ranged(0.3, 0.298, 0.302) == "0.30"
    assert ranged(0.31, 0.298, 0.302) == "0.31 (0.30)"
    with pytest.raises(ValueError, match="low must not be above high"):
        ranged(1.5, 2, 1)
