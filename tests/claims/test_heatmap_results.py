"""The results of the chapters on heatmaps, each against something else.

A test bears the label of its result. Integrals over the plane are sums over a fine grid that
holds all but 1e-8 of what is integrated.
"""

import importlib.util
import math
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from torch import Tensor

from vaebook import datasets
from vaebook.latent import shapes
from vaebook.measures.heatmaps import heatmap_metric

RNG = np.random.default_rng(0)


def covariance(s1: float, s2: float, rho: float) -> np.ndarray:
    cross = rho * math.sqrt(s1 * s2)
    return np.array([[s1, cross], [cross, s2]])


def random_factors(n: int) -> np.ndarray:
    return RNG.uniform([0.1, 0.1, -0.95], [4.9, 4.9, 0.95], (n, 3))


def quadrature(matrix: np.ndarray, direction: np.ndarray, other: np.ndarray) -> float:
    """The inner product over the plane of two directional derivatives of exp(-u'P u / 2)."""
    axis = np.linspace(-8, 8, 401)
    # Coordinates in which the heatmap is a disc: the grid then fits every ellipse.
    root = np.linalg.cholesky(matrix)
    disc = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    u = disc @ root.T

    def h(sigma: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * np.einsum("pi,ij,pj->p", u, np.linalg.inv(sigma), u))

    step = 1e-5
    one, two = (
        (h(matrix + step * d) - h(matrix - step * d)) / (2 * step) for d in (direction, other)
    )
    area = (axis[1] - axis[0]) ** 2 * np.linalg.det(root)
    return float((one * two).sum() * area)


def symmetric() -> np.ndarray:
    a = RNG.normal(size=(2, 2))
    return a + a.T


def test_prop_heatmap_angle() -> None:
    for s1, s2, rho in random_factors(200):
        values, vectors = np.linalg.eigh(covariance(s1, s2, rho))
        x, y = vectors[:, 1]
        angle = 0.5 * math.atan2(2 * rho * math.sqrt(s1 * s2), s1 - s2)
        assert abs(x * math.sin(angle) - y * math.cos(angle)) < 1e-9
        spread = math.hypot(s1 - s2, 2 * rho * math.sqrt(s1 * s2))
        ratio = math.sqrt((s1 + s2 + spread) / (s1 + s2 - spread))
        assert ratio == pytest.approx(math.sqrt(values[1] / values[0]), rel=1e-6)
    for s, rho in ((0.1, 0.3), (4.9, 0.9), (2.0, -0.6)):
        values, vectors = np.linalg.eigh(covariance(s, s, rho))
        assert abs(vectors[0, 1]) == pytest.approx(math.sqrt(0.5))
        assert np.prod(vectors[:, 1]) * rho > 0
        ratio = math.sqrt((1 + abs(rho)) / (1 - abs(rho)))
        assert math.sqrt(values[1] / values[0]) == pytest.approx(ratio)


def test_prop_heatmap_injective() -> None:
    """Three differences of logarithms are three linear equations for the precision."""
    factors = torch.from_numpy(random_factors(50))
    axis = torch.linspace(-3, 3, 36, dtype=torch.float64)
    places = torch.tensor([[17, 17], [17, 18], [17, 19], [19, 17]])
    y, x = axis[places.T[0]], axis[places.T[1]]
    basis = torch.stack([x * x, x * y, y * y], dim=1)
    differences = basis[1:] - basis[0]
    assert torch.linalg.svdvals(differences)[-1] > 1e-3  # independent
    # The example of the text, in units of half a pixel, and one where a conic passes through all:
    # two pixels and their mirror images about the origin.
    for pixels, independent in (
        ([(1, 1), (3, 1), (5, 1), (1, 3)], True),
        ([(1, 1), (-1, -1), (3, 1), (-3, -1)], False),
    ):
        rows = np.array([(a * a, a * b, b * b) for a, b in pixels], dtype=float)
        assert (np.linalg.matrix_rank(rows[1:] - rows[0]) == 3) == independent
    images = datasets.heatmap_images(*factors.T).double()[:, 0]
    logs = images[:, places.T[0], places.T[1]].log()
    p = torch.linalg.solve(differences, -2 * (logs[:, 1:] - logs[:, :1]).T).T
    rho = -p[:, 1] / (2 * (p[:, 0] * p[:, 2]).sqrt())
    variances = 1 / (p[:, [0, 2]] * (1 - rho.square())[:, None])
    # float32 pixels hold about seven digits, and four neighbours are nearly equal.
    keep = images[:, 17:20, 17:20].amin((1, 2)) > 1e-3
    assert keep.sum() > 20
    torch.testing.assert_close(rho[keep], factors[keep, 2], rtol=0, atol=2e-3)
    torch.testing.assert_close(variances[keep], factors[keep, :2], rtol=5e-3, atol=0)


@pytest.mark.slow
def test_prop_heatmap_metric() -> None:
    for s1, s2, rho in random_factors(20):
        sigma, d, e = covariance(s1, s2, rho), symmetric(), symmetric()
        scale = np.linalg.norm(np.linalg.inv(sigma), 2)
        d, e = d / scale, e / scale
        a, b = np.linalg.inv(sigma) @ d, np.linalg.inv(sigma) @ e
        volume = math.pi * math.sqrt(np.linalg.det(sigma))
        closed = volume / 16 * (np.trace(a) * np.trace(b) + 2 * np.trace(a @ b))
        assert quadrature(sigma, d, e) == pytest.approx(closed, abs=1e-6 * volume)


def metric(sigma: np.ndarray, d: np.ndarray) -> float:
    a = np.linalg.inv(sigma) @ d
    volume = math.pi * math.sqrt(np.linalg.det(sigma))
    return volume / 16 * (np.trace(a) ** 2 + 2 * np.trace(a @ a))


def test_prop_heatmap_cone() -> None:
    # The metric of the proposition before, split into a radial and a tangential part.
    for s1, s2, rho in random_factors(50):
        sigma, d = covariance(s1, s2, rho), symmetric()
        a = np.linalg.inv(sigma) @ d
        radius = lambda m: math.sqrt(2 * math.pi) * np.linalg.det(m) ** 0.25  # noqa: E731
        step = 1e-6
        dr = (radius(sigma + step * d) - radius(sigma - step * d)) / (2 * step)
        rest = a - np.trace(a) / 2 * np.eye(2)
        split = dr**2 + radius(sigma) ** 2 * np.trace(rest @ rest) / 16
        assert metric(sigma, d) == pytest.approx(split, rel=1e-5)
    # On the sheet of equal variances the tangential part is an angle.
    for s, rho in ((0.5, -0.9), (2.0, 0.0), (4.9, 0.7)):
        sigma, d = covariance(s, s, rho), np.array([[0, s], [s, 0]])
        a = np.linalg.inv(sigma) @ d
        rest = a - np.trace(a) / 2 * np.eye(2)
        angle = 1 / (2 * math.sqrt(2) * (1 - rho**2))
        assert math.sqrt(np.trace(rest @ rest) / 16) == pytest.approx(angle)
    # Curvature -8 of what the cone stands on: the circumference of a small circle says so.
    # Around the disc Sigma = I, a circle of radius q has length 2 pi q (1 + 8 q^2 / 6 + ...).
    for q in (0.05, 0.1):
        t = 2 * math.sqrt(2) * q
        angles = np.linspace(0, math.pi, 2001)
        turns = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
        turns = turns.transpose(2, 0, 1)
        circle = turns @ np.diag([math.exp(t), math.exp(-t)]) @ turns.transpose(0, 2, 1)
        lengths = []
        for one, two in pairwise(circle):
            a = np.linalg.inv((one + two) / 2) @ (two - one)
            lengths.append(math.sqrt(np.trace(a @ a) / 16))
        excess = sum(lengths) / (2 * math.pi * q) - 1
        assert excess == pytest.approx(8 * q**2 / 6, rel=0.05)


@pytest.mark.slow
def test_cor_heatmap_relative() -> None:
    """The share by which the correlation moves an image, by a sum over the plane."""
    for s in (0.3, 2.0):
        for rho in (-0.8, 0.0, 0.4):
            sigma, d = covariance(s, s, rho), np.array([[0, s], [s, 0]])
            moved = math.sqrt(quadrature(sigma, d, d))
            norm = math.sqrt(math.pi) * np.linalg.det(sigma) ** 0.25
            closed = math.sqrt(1 + 2 * rho**2) / (2 * (1 - rho**2))
            assert moved / norm == pytest.approx(closed, rel=1e-5)


def test_cor_heatmap_hairpin() -> None:
    """Draw both lines into the plane of the sector and look at their ends."""
    rho = np.linspace(-0.95, 0.85, 200_001)
    angle = np.arctanh(rho) / (2 * math.sqrt(2))
    for radius, expected in (
        (
            (1 - rho**2) ** 0.25,
            angle[-1]
            - angle[0]
            + math.pi
            - math.atan(1 / (math.sqrt(2) * 0.95))
            - math.atan(1 / (math.sqrt(2) * 0.85)),
        ),
        (np.ones_like(rho), angle[-1] - angle[0]),
    ):
        points = radius * np.exp(1j * angle)
        steps = np.diff(points)
        turned = np.angle(steps[1:] / steps[:-1]).sum()
        assert turned == pytest.approx(expected, abs=1e-3)


def test_the_frame_and_the_pixels_change_the_metric_little_where_the_heatmap_fits() -> None:
    """What the closed form is worth for the images of the data: a few per cent in the middle."""
    pixel = 6 / 35
    for s, rho in ((0.3, 0.0), (0.5, 0.5), (0.6, -0.5)):
        found = heatmap_metric(*(torch.tensor([v]) for v in (s, s, rho)))[0]
        d = np.array([[0, s], [s, 0]])
        closed = metric(covariance(s, s, rho), d) / pixel**2
        assert found[2, 2].item() == pytest.approx(closed, rel=0.1)


@pytest.mark.slow
def test_prop_vaeae_shape() -> None:
    def root(matrix: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix)
        return (vectors * np.sqrt(values.clip(0))) @ vectors.T

    def gelbrich(one: np.ndarray, two: np.ndarray) -> float:
        inner = root(root(one) @ two @ root(one))
        return math.sqrt(max(np.trace(one) + np.trace(two) - 2 * np.trace(inner), 0))

    for f, g in zip(random_factors(20), random_factors(20), strict=True):
        one, two = covariance(*f), covariance(*g)
        half_axes = [np.sqrt(np.linalg.eigvalsh(m)) for m in (one, two)]
        d = np.linalg.norm(half_axes[0] - half_axes[1])
        angles = np.linspace(0, math.pi, 721)
        turned = []
        for angle in angles:
            cos, sin = math.cos(angle), math.sin(angle)
            r = np.array([[cos, -sin], [sin, cos]])
            turned.append(gelbrich(one, r @ two @ r.T))
        # Below the distance of the Gaussians at every angle, and attained at one.
        assert d <= min(turned) + 1e-9
        assert d == pytest.approx(min(turned), abs=2e-4 * max(f[0], f[1], 1))


def test_gelbrichs_bound_holds_for_other_densities_on_the_line() -> None:
    """In one dimension transport is the distance of the quantile functions."""
    for _ in range(20):
        one, two = np.sort(RNG.exponential(size=500)), np.sort(RNG.beta(0.5, 0.5, size=500))
        transport = math.sqrt(((one - two) ** 2).mean())
        assert abs(one.std() - two.std()) <= transport


def experiment() -> ModuleType:
    """The study whose results the chapter on VAE and autoencoder reads."""
    path = Path(__file__).resolve().parent.parent.parent / "experiments" / "vae_against_ae.py"
    spec = importlib.util.spec_from_file_location("vae_against_ae", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_points_that_the_comparison_picks_lie_where_it_says() -> None:
    script = experiment()
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.normal(size=(800, 3)) @ np.diag([3.0, 1.0, 0.2])).float()
    cloud = shapes.whiten(codes[:600], codes[600:])
    inside = Delaunay(cloud.points[cloud.points.norm(dim=1).argsort()[:-6]])
    for within in (True, False):
        points = script.uniform(cloud, 500, within, rng)
        assert ((inside.find_simplex(points) >= 0) == within).all()


@pytest.mark.slow
def test_the_comparison_rejects_equal_sets_at_the_level_and_others_more_often() -> None:
    script = experiment()
    draws = torch.Generator().manual_seed(0)
    one, same = torch.rand(2, 300, 1, 6, 6, generator=draws)
    other = 0.8 * torch.rand(300, 1, 6, 6, generator=draws)
    # Some 80 tests at 5 %, not quite independent: 13 of them or more would be too many by
    # chance in one case of ten thousand.
    assert np.mean(script.rejections(one, same, draws)) < 13 / 80
    assert script.rejections(one, other, draws)[-1] == 1


@pytest.mark.slow
def test_the_look_up_of_the_comparison_is_the_nearest_neighbour() -> None:
    train, test = datasets.heatmaps().split(0.8, seed=0)
    some = test.images[:10]
    distances = [(train.images - image).flatten(1).norm(dim=1).min() for image in some]
    found = experiment().look_up(train.images, some)
    torch.testing.assert_close(found, torch.stack(distances), rtol=1e-4, atol=1e-4)


def sheet(values: Tensor) -> Tensor:
    return datasets.heatmap_images(values, values, torch.zeros(()))


def test_the_largest_pixel_is_not_the_peak() -> None:
    """At an even size the four middle pixels lie half a pixel from the mean, each way."""
    s = torch.tensor([0.1, 1.0, 4.9])
    odd = datasets.heatmap_images(s, s, torch.zeros(()), size=35)
    assert (odd[:, 0, 17, 17] == 1).all()
    even = sheet(s)
    assert (even[:, 0, 17:19, 17:19] == 1).all()
    # The density there, as a share of the peak: what dividing by the peak would have left.
    half = 3 / 35
    share = torch.exp(-half * half / s)
    peak = datasets.heatmap_images(s, s, torch.zeros(()), size=71)
    assert torch.allclose(peak[:, 0, 34, 34], share, atol=1e-6)
