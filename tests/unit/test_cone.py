"""The geometry of heatmaps against quadrature, against chords, and at its limits."""

import math

import pytest
import torch
from torch import Tensor

from vaebook import datasets
from vaebook.measures import cone, heatmaps

_PIXEL = 6 / 35


def _factors(n: int, seed: int = 0) -> Tensor:
    draw = torch.rand(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.stack([0.1 + 4.8 * draw[:, 0], 0.1 + 4.8 * draw[:, 1], 1.8 * draw[:, 2] - 0.9], 1)


def _drawn(factors: Tensor) -> Tensor:
    """Heatmaps on a frame that holds all of them, in steps fine enough for the thinnest."""
    axis = torch.arange(-14, 14.01, 0.07, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    s1, s2, rho = (column[:, None, None] for column in factors.unbind(1))
    u, v = x / s1.sqrt(), y / s2.sqrt()
    return (-0.5 * (u * u - 2 * rho * u * v + v * v) / (1 - rho**2)).exp().flatten(1) * 0.07


def test_a_chord_is_that_of_quadrature() -> None:
    a, b = _factors(12), _factors(12, 1)
    chord = cone.cone_sector(a, b).chord * _PIXEL
    assert torch.allclose(chord, (_drawn(a) - _drawn(b)).norm(dim=1), rtol=1e-6)


def test_a_short_step_is_as_long_as_quadrature_has_it() -> None:
    a = _factors(12)
    b = a + 1e-3 * (torch.rand(12, 3, dtype=torch.float64) - 0.5)
    distance = cone.cone_sector(a, b).distance * _PIXEL
    assert torch.allclose(distance, (_drawn(a) - _drawn(b)).norm(dim=1), rtol=1e-2)


def test_a_distance_is_that_of_many_short_chords_along_the_way() -> None:
    a, b = _factors(20), _factors(20, 1)
    sector, way = cone.cone_sector(a, b), cone.cone_path(a, b, 500)
    assert torch.allclose(way[:, 0], a)
    assert torch.allclose(way[:, -1], b)
    steps = cone.cone_sector(way[:, :-1].flatten(0, 1), way[:, 1:].flatten(0, 1)).chord
    steps = steps.unflatten(0, (20, 499))
    assert torch.allclose(steps.sum(1), sector.distance, rtol=1e-4)
    assert float((steps.std(1) / steps.mean(1)).max()) < 1e-3
    assert bool((sector.chord <= sector.distance * (1 + 1e-12)).all())


def test_no_way_beside_it_is_shorter() -> None:
    a, b = _factors(20), _factors(20, 1)
    way, distance = cone.cone_path(a, b, 200), cone.cone_sector(a, b).distance
    bump = torch.sin(torch.linspace(0, math.pi, 200, dtype=torch.float64))[:, None]
    for seed in range(10):
        push = torch.randn(
            20, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )
        logs = torch.cat([way[..., :2].log(), way[..., 2:].atanh()], -1) + 0.1 * push * bump
        moved = torch.cat([logs[..., :2].exp(), logs[..., 2:].tanh()], -1)
        steps = cone.cone_sector(moved[:, :-1].flatten(0, 1), moved[:, 1:].flatten(0, 1)).chord
        assert bool((steps.unflatten(0, (20, 199)).sum(1) > distance * (1 - 1e-4)).all())


def test_the_way_between_equals_stays_and_over_the_tip_is_refused() -> None:
    one = torch.tensor([[1.0, 2.0, 0.3]])
    assert torch.allclose(cone.cone_path(one, one, 5), one[:, None].expand(-1, 5, -1), atol=1e-6)
    assert cone.cone_sector(one, one).distance.item() == pytest.approx(0, abs=1e-4)
    thin, flat = torch.tensor([[1e-4, 1e4, 0.0]]), torch.tensor([[1e4, 1e-4, 0.0]])
    sector = cone.cone_sector(thin, flat)
    assert sector.angle.item() > math.pi
    assert sector.distance.item() == pytest.approx((sector.start + sector.end).item(), rel=1e-6)
    with pytest.raises(ValueError, match="half turn"):
        cone.cone_path(thin, flat)


@pytest.mark.slow
def test_the_chart_draws_what_the_data_are_and_moves_as_they_do() -> None:
    factors = _factors(20)
    places = cone.places(factors)
    images = datasets.heatmap_images(*factors.float().T)
    assert torch.allclose(cone.chart(places).float(), images, atol=1e-6)
    jacobian = torch.func.vmap(torch.func.jacfwd(lambda p: cone.chart(p[None])[0].flatten()))(
        places
    )
    s1, s2, rho = factors.T
    jacobian = jacobian / torch.stack([s1, s2, 1 - rho**2], 1)[:, None]
    found = jacobian.transpose(1, 2) @ jacobian
    assert torch.allclose(found, heatmaps.heatmap_metric(s1, s2, rho), rtol=1e-6)


@pytest.mark.parametrize(
    ("start", "end", "match"),
    [
        (torch.ones(2, 2), torch.ones(2, 2), r"start must be a float tensor \[N, 3\]"),
        (torch.tensor([[1.0, 1, 0]]), torch.tensor([[1.0, 0, 0]]), "end must have variances > 0"),
        (torch.tensor([[1.0, 1, 1]]), torch.tensor([[1.0, 1, 0]]), "start must have variances"),
        (torch.tensor([[1.0, 1, 0]]), torch.tensor([[1.0, 1, 0]] * 2), "as many rows as start"),
        (torch.tensor([[1.0, 1, math.nan]]), torch.tensor([[1.0, 1, 0]]), "start must be finite"),
    ],
)
def test_what_are_no_factors_is_refused(start: Tensor, end: Tensor, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        cone.cone_sector(start, end)


def test_a_chart_wants_three_coordinates() -> None:
    with pytest.raises(ValueError, match="places must be a float tensor"):
        cone.chart(torch.zeros(3))
