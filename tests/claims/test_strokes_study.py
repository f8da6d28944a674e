"""What the study of strokes measures, against its definitions, and what its table decides."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaebook import tables

ROWS = tables.load("strokes").rows


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    """The names of the study's file."""
    path = Path(__file__).resolve().parents[2] / "experiments" / "strokes.py"
    return tables.from_file(path).row.__globals__


def test_likeness_is_a_correlation_whose_sign_is_free(study: dict[str, Any]) -> None:
    a, b = np.random.default_rng(0).normal(3, 2, size=(2, 10, 40))
    truth = [abs(np.corrcoef(x, y)[0, 1]) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(study["alike"](a, -b), truth)


def test_what_is_left_is_the_partial_correlation(study: dict[str, Any]) -> None:
    a, b, axes = np.random.default_rng(1).normal(size=(3, 10, 40)) + np.linspace(0, 1, 40)
    for own, other, axis, found in zip(
        a, b, axes, study["alike"](*(study["without"](x, axes) for x in (a, b))), strict=True
    ):
        r = np.corrcoef([own, other, axis])
        rest = (1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2)
        assert found == pytest.approx(abs(r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt(rest))


def test_strokes_are_near_the_digit_s_own_component_of_the_pixels() -> None:
    assert [row["seed"] for row in ROWS] == list(range(5))
    for row in ROWS:
        assert np.mean(row["own"]) > row["other"] + 0.4
        assert row["other"] == pytest.approx(row["components"], abs=0.02)  # as strangers are


def test_two_seeds_agree_about_more_than_that_component() -> None:
    """The form, left below half of what the seeds have in common, fails in every seed."""
    for row in ROWS:
        assert np.mean(row["left"]) > 0.75 * np.mean(row["seeds"])
