"""Smooth paths, against straight and great ones, another optimiser, and a mountain."""

import math

import pytest
import scipy.optimize
import torch

from vaebook.latent import geometry
from vaebook.latent.smooth import smooth_paths


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def sphere(z):
    u, v = z.T
    return torch.stack([u.cos() * v.cos(), u.sin() * v.cos(), v.sin()], 1)


def hill(z):
    return torch.cat([z, 3 * (-z.square().sum(1, keepdim=True)).exp()], 1)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_smooth_paths_of_a_linear_map_are_straight(dim):
    matrix = normal(dim, 7, seed=1)
    start, end = normal(4, dim, seed=2), normal(4, dim, seed=3)
    paths = smooth_paths(lambda z: z @ matrix, start, end, 20)
    t = torch.linspace(0, 1, 20, dtype=torch.float64)[:, None]
    torch.testing.assert_close(paths, torch.lerp(start[:, None], end[:, None], t))
    assert torch.equal(paths[:, 0], start)
    assert torch.equal(paths[:, -1], end)


def test_smooth_paths_on_a_sphere_are_nearly_great_circles():
    draw = normal(40, 2, seed=4)
    start, end = torch.stack([2 * draw[:, 0].sin(), draw[:, 1].sin()], 1).split(20)
    paths = smooth_paths(sphere, start, end, 64)
    great = torch.acos((sphere(start) * sphere(end)).sum(1))
    line = torch.lerp(start[:, None], end[:, None], torch.linspace(0, 1, 64)[:, None].double())
    excess = geometry.length(sphere, paths, 4) / great - 1
    of_lines = geometry.length(sphere, line, 4) / great - 1
    assert excess.max() < 0.1
    assert excess.mean() < 0.1 * of_lines.mean()


@pytest.mark.slow
def test_smooth_paths_are_what_another_optimiser_finds_with_two_waves():
    """BFGS from where the waves are zero, over the same heights, by finite differences."""
    start, end = normal(6, 2, seed=5).split(3)
    found = smooth_paths(hill, start, end, 16)
    t = torch.linspace(0, 1, 16, dtype=torch.float64)[:, None]
    waves = torch.stack([(math.pi * t).sin(), (2 * math.pi * t).sin()])[..., 0]
    for a, b, path in zip(start, end, found, strict=True):
        line = torch.lerp(a, b, t)

        def energy(heights, line=line):
            heights = torch.from_numpy(heights).view(2, 2)
            return geometry.energy(hill, (line + waves.T @ heights)[None]).item()

        best = min(
            scipy.optimize.minimize(energy, [*bow, 0, 0]).fun
            for bow in ([0, 0], [0, 1], [0, -1], [1, 0], [-1, 0])
        )
        # Two waves and the bow, whose shape is the first wave's, span the same paths.
        assert geometry.energy(hill, path[None]).item() == pytest.approx(best, rel=2e-3)


def test_geodesics_from_smooth_paths_go_round_a_mountain():
    start, end = torch.tensor([[-2.0, 0.0], [-2.0, 0.3]]), torch.tensor([[2.0, 0.0], [2.0, 0.3]])
    over = geometry.geodesic(hill, start, end)
    round_it = geometry.geodesic(hill, start, end, initial=smooth_paths(hill, start, end))
    assert over.lengths[0] > 7
    assert (round_it.lengths < 5).all()
    # The ways on both sides of a line through the top are equally long; either will do.
    assert round_it.paths[0, 16, 1].abs() > 0.8


def test_the_energy_is_never_more_than_that_of_straight_lines():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 30), torch.nn.ReLU(), torch.nn.Linear(30, 50), torch.nn.Sigmoid()
    )
    network.double().requires_grad_(False)[0].weight.mul_(4)
    start, end = normal(30, 3, seed=6), normal(30, 3, seed=7)
    t = torch.linspace(0, 1, 16, dtype=torch.float64)[:, None]
    lines = torch.lerp(start[:, None], end[:, None], t)
    found = smooth_paths(network, start, end, 16)
    shares = geometry.energy(network, found) / geometry.energy(network, lines)
    assert shares.max() <= 1 + 1e-12
    assert shares.median() < 0.98
    # Each pair has a path of its own, whatever stands beside it.
    torch.testing.assert_close(smooth_paths(network, start[3:4], end[3:4], 16), found[3:4])


@pytest.mark.parametrize("decode", [hill, lambda z: torch.zeros(len(z), 5)], ids=["hill", "dead"])
def test_ends_that_are_one_and_decoders_that_are_dead_leave_finite_paths(decode):
    start = normal(2, 2, seed=8).float()
    paths = smooth_paths(decode, start, torch.stack([start[0], start[0]]))
    assert paths.isfinite().all()
    assert paths.shape == (2, 32, 2)
    torch.testing.assert_close(paths[0], start[:1].expand(32, 2))
