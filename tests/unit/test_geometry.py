"""The geometry of decoders against surfaces whose geodesics are known."""

import math

import pytest
import torch
from torch import nn

from vaebook.latent import geometry

LINE = torch.linspace(0, 1, 32, dtype=torch.float64)[:, None]


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def uniform(low, high, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


def sphere(z):
    """Longitude and latitude to the unit sphere."""
    u, v = z.T
    return torch.stack([u.cos() * v.cos(), u.sin() * v.cos(), v.sin()], 1)


def sphere_points(n, seed=0):
    return uniform(-1.2, 1.2, n, 2, seed=seed)


def great_circle(start, end):
    return (sphere(start) * sphere(end)).sum(1).acos()


def relu_decoder(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    layers = [nn.Linear(3, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 64)]
    return nn.Sequential(*layers, nn.Unflatten(1, (1, 8, 8))).to(dtype).requires_grad_(False)


def test_metric_of_a_linear_map_is_its_gram_matrix():
    weight = normal(30, 3)
    metrics = geometry.metric(lambda z: (z @ weight.T).unflatten(1, (1, 5, 6)), normal(2_000, 3))
    torch.testing.assert_close(metrics, (weight.T @ weight).expand(2_000, 3, 3))


def test_metric_and_volume_of_the_sphere_are_those_of_the_atlas():
    z = sphere_points(50)
    cosine = z[:, 1].cos()
    expected = torch.stack([cosine.square(), torch.ones(50).double()], 1).diag_embed()
    torch.testing.assert_close(geometry.metric(sphere, z), expected)
    torch.testing.assert_close(geometry.volume(sphere, z), cosine)


def test_lengths_and_energies_of_a_linear_map_are_those_of_the_mapped_path():
    weight, polylines = normal(30, 3), normal(7, 5, 3, seed=1)
    chords = (polylines @ weight.T).diff(dim=1).norm(dim=2)
    for pieces in (1, 4):
        length = geometry.length(lambda z: z @ weight.T, polylines, pieces)
        torch.testing.assert_close(length, chords.sum(1))
    energy = geometry.energy(lambda z: z @ weight.T, polylines)
    torch.testing.assert_close(energy, chords.square().sum(1))


@pytest.mark.parametrize("cuts", [(50, 1), (10, 40)])
def test_length_converges_to_that_of_the_curve(cuts):
    # Decoded onto the unit circle, the line from 0 to pi is a half circle; chords are short
    # by pi^3 / 24 n^2.
    n, pieces = cuts
    path = torch.linspace(0, math.pi, n + 1, dtype=torch.float64)[None, :, None]
    length = geometry.length(lambda z: torch.cat([z.cos(), z.sin()], 1), path, pieces).item()
    assert math.pi - length == pytest.approx(math.pi**3 / 24 / (n * pieces) ** 2, rel=1e-3)


def test_geodesics_of_the_sphere_are_great_circles():
    start, end = sphere_points(20), sphere_points(20, seed=1)
    found = geometry.geodesic(sphere, start, end, tolerance=1e-8)
    assert found.converged.all()
    expected = great_circle(start, end)
    # Of n equal chords to an angle a, each is short by (a / n)^3 / 24.
    short = expected.pow(3) / 24 / 31**2
    torch.testing.assert_close(found.lengths, expected - short, rtol=1e-6, atol=0)
    normals = torch.linalg.cross(sphere(start), sphere(end))[:, None]
    points = sphere(found.paths.flatten(0, 1)).unflatten(0, (20, 32))
    assert (points * normals).sum(2).abs().max() < 1e-4
    assert torch.equal(found.paths[:, 0], start)
    assert torch.equal(found.paths[:, -1], end)


def test_geodesics_of_a_relu_decoder_are_no_longer_than_straight_lines():
    decode = relu_decoder()
    start, end = normal(10, 3).float(), normal(10, 3, seed=1).float()
    found = geometry.geodesic(decode, start, end)
    lines = torch.lerp(start[:, None], end[:, None], LINE.float())
    assert (found.lengths <= geometry.length(decode, lines)).all()
    torch.testing.assert_close(found.lengths, geometry.length(decode, found.paths))
    fine = geometry.length(decode, found.paths, 10) / geometry.length(decode, lines, 10)
    assert fine.max() <= 1
    assert fine.mean() < 0.99


def test_a_batch_of_geodesics_is_one_by_one():
    start, end = sphere_points(5), sphere_points(5, seed=1)
    together = geometry.geodesic(sphere, start, end)
    for i in range(5):
        alone = geometry.geodesic(sphere, start[[i]], end[[i]])
        torch.testing.assert_close(alone.paths[0], together.paths[i])
