"""Places that are moved apart."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from vaebook import figures


@pytest.mark.parametrize("seed", range(5))
def test_no_two_of_some_dozens_are_nearer_than_asked(seed: int) -> None:
    places = np.random.default_rng(seed).normal(size=(40, 2))
    assert pdist(places).min() < 0.1
    moved = figures.spread_out(places, 0.3)
    assert pdist(moved).min() > 0.3 * (1 - 1e-6)
    assert np.abs(moved - places).max() < 1.0


def test_who_has_room_stays_and_equal_places_part() -> None:
    places = torch.tensor([[0.0, 0.0], [0.0, 0.0], [9.0, 9.0]])
    moved = figures.spread_out(places, 1.0)
    assert pdist(moved).min() > 1 - 1e-6
    assert np.allclose(moved[2], 9, atol=1e-5)
    assert np.allclose(moved[:2].mean(0), 0, atol=1e-5)
    assert places[0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("places", "least", "message"),
    [
        ([[0.0, 0.0, 0.0]], 1.0, r"places must be \[N, 2\], got shape \[1, 3\]"),
        ([[float("nan"), 0.0]], 1.0, "places must be finite"),
        ([[0.0, 0.0]], 0.0, "least must be"),
        ([[1e6, 1e6], [1e6, 1e6]], 1e-5, "least is too small"),
    ],
)
def test_what_is_unfit_is_refused(places: object, least: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.spread_out(places, least)
