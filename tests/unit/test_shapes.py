"""Alignment, hulls, planes and splines against geometry and SciPy."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.spatial
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaebook.latent import paths, shapes


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# Axes with names


def rotation(d, seed=0):
    """A random orthogonal matrix."""
    return torch.linalg.qr(normal(d, d, seed=seed))[0]


@given(seed=st.integers(0, 10_000), d=st.integers(2, 4))
def test_alignment_undoes_rotation_permutation_and_signs(seed, d):
    # Independent factors of different spreads, turned and shifted: the truth is the turn itself.
    factors = normal(50, d, seed=seed)
    factors = torch.linalg.qr(factors - factors.mean(0))[0] * torch.linspace(1, 2, d)
    turn, shift = rotation(d, seed + 1), 5 * normal(d, seed=seed + 2)
    codes = factors @ turn.T + shift
    aligned = shapes.align(codes, 7 * factors - 3)
    torch.testing.assert_close(aligned.rotation, turn)
    torch.testing.assert_close(aligned.forward(codes), factors)
    torch.testing.assert_close(aligned.back(aligned.forward(codes)), codes)


def test_alignment_is_what_scipy_finds_and_better_than_any_other_rotation():
    codes, factors = normal(200, 3), normal(200, 3, seed=1)
    factors = factors + 0.5 * codes.roll(1, 1)
    aligned = shapes.align(codes, factors)
    centred, standard = codes - codes.mean(0), (factors - factors.mean(0)) / factors.std(0)
    expected, _ = scipy.linalg.orthogonal_procrustes(centred.numpy(), standard.numpy())
    np.testing.assert_allclose(aligned.rotation, expected, atol=1e-10)
    fit = ((centred @ aligned.rotation) * standard).sum()
    assert all(((centred @ rotation(3, s)) * standard).sum() < fit for s in range(50))


def test_alignment_keeps_distances_and_the_type_of_the_codes():
    codes = normal(40, 3).float()
    aligned = shapes.align(codes, codes.roll(1, 1).double())
    moved = aligned.forward(codes)
    assert moved.dtype == torch.float32
    torch.testing.assert_close(torch.pdist(moved), torch.pdist(codes))
    torch.testing.assert_close(aligned.back(moved[None, :2])[0], codes[:2])


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (normal(9, 3), normal(9, 2), r"factors must be a float tensor \[9, 3\], .* \[9, 2\]"),
        (normal(9, 3).long(), normal(9, 3), "codes must be a float tensor .* got int64"),
        (normal(9, 3), normal(9, 3).long(), "factors must be a float tensor .* got int64"),
        (
            normal(9, 3),
            normal(9, 3).to("meta"),
            "must hold values, got a tensor on the device meta",
        ),
        (
            normal(3, 3),
            normal(3, 3),
            r"codes must have at least 4 rows, got \[3, 3\]",
        ),
        (normal(9, 3) * math.nan, normal(9, 3), "codes must be finite"),
        (normal(9, 3), normal(9, 3) * torch.tensor([1, 0, 1]), "factors must vary, number 1 is"),
        (normal(9, 3)[:, [0, 1, 1]], normal(9, 3), "vary together in only 2 of 3 directions"),
    ],
)
def test_alignment_refuses_what_does_not_determine_it(codes, factors, message):
    with pytest.raises(ValueError, match=message):
        shapes.align(codes, factors)


# Clouds


@given(seed=st.integers(0, 10_000), d=st.integers(2, 4))
def test_whitened_codes_have_unit_covariance_and_come_back(seed, d):
    codes = normal(60, d, seed=seed) @ normal(d, d, seed=seed + 1) + normal(d, seed=seed + 2)
    cloud = shapes.whiten(codes, codes)
    np.testing.assert_allclose(np.cov(cloud.points.T), np.eye(d), atol=1e-8)
    torch.testing.assert_close(cloud.points, cloud.forward(codes))
    torch.testing.assert_close(cloud.back(cloud.points), codes)


def test_distances_in_a_cloud_are_mahalanobis_distances_to_the_nearest():
    codes, others = normal(80, 3) * torch.tensor([5.0, 1.0, 0.2]), normal(40, 3, seed=1)
    cloud = shapes.whiten(codes, others)
    precision = np.linalg.inv(np.cov(codes.T))
    somewhere = normal(20, 3, seed=2)

    def apart(a, b):
        return torch.from_numpy(scipy.spatial.distance.cdist(a, b, "mahalanobis", VI=precision))

    to_known = apart(somewhere, torch.cat([codes, others])).amin(1)
    torch.testing.assert_close(cloud.distance(cloud.forward(somewhere)), to_known)
    others_of = apart(codes, codes).fill_diagonal_(math.inf)
    torch.testing.assert_close(cloud.spacing(), others_of.amin(1))


def test_the_hull_of_a_cloud_leaves_out_the_farthest_hundredth():
    codes = normal(300, 3)
    cloud = shapes.whiten(codes, codes)
    nearest = cloud.points.norm(dim=1).argsort()[:-3]
    torch.testing.assert_close(
        cloud.hull.depth(cloud.points),
        shapes.convex_hull(cloud.points[nearest]).depth(cloud.points),
    )


@pytest.mark.parametrize(
    ("codes", "others", "message"),
    [
        (normal(20, 1), normal(5, 1), "codes must have at least 2 dimensions"),
        (normal(4, 3), normal(5, 3), "codes must have at least 5 rows"),
        (normal(20, 2)[:, [0, 0]], normal(5, 2), "codes must spread over 2 dimensions"),
        (normal(20, 3), normal(5, 2), r"others must be a float tensor \[M, 3\]"),
        (normal(20, 3), normal(5, 3).float(), "codes and others must"),
        (
            torch.tensor([[0.0, 0], [1, 1], [2, 2], [3, 3], [9, 0]]),
            torch.zeros(1, 2),
            "codes without the farthest hundredth must spread over 2 dimensions",
        ),
    ],
)
def test_a_cloud_refuses_what_has_no_shape(codes, others, message):
    with pytest.raises(ValueError, match=message):
        shapes.whiten(codes, others)


# Hulls and planes


def test_hull_of_a_cube_and_what_lies_in_it_is_the_cube():
    corners = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3))).double()
    inside = 0.9 * (2 * torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) - 1)
    hull = shapes.convex_hull(torch.cat([inside.double(), corners]))
    assert sorted(hull.vertices.tolist()) == list(range(200, 208))
    torch.testing.assert_close(hull.normals.abs().sum(1), torch.ones(12).double())
    torch.testing.assert_close(hull.offsets, torch.ones(12).double())
    # Depth under a face is 1 less the largest coordinate.
    expected = 1 - inside.abs().amax(1).double()
    torch.testing.assert_close(hull.depth(inside.double()), expected)
    outside = torch.tensor([[1.5, 0.0, 0.2], [0.0, -3.0, 0.0]]).double()
    torch.testing.assert_close(hull.depth(outside), torch.tensor([-0.5, -2.0]).double())


@pytest.mark.slow
def test_hull_of_an_ellipsoid_has_all_its_points_and_depths_of_the_scaled_ones():
    sphere = torch.nn.functional.normalize(normal(3_000, 3), dim=1)
    half_axes = torch.tensor([1.0, 2.0, 3.0]).double()
    hull = shapes.convex_hull(sphere * half_axes)
    assert len(hull.vertices) == 3_000
    # The distance to the surface is that to the nearest of many points on it; flat facets lie
    # under it by less than 0.05.
    surface = torch.nn.functional.normalize(normal(200_000, 3, seed=1), dim=1) * half_axes
    inside = 0.8 * sphere[:100].roll(1, 1) * half_axes
    nearest = torch.cdist(inside, surface).amin(1)
    assert (hull.depth(inside) - nearest).abs().max() < 0.05


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (normal(3, 3), "points must have at least 4 rows"),
        (normal(20, 3).long(), "points must be a float tensor .* got int64"),
        (normal(20), r"points must be a float tensor \[N, D\]"),
        (normal(20, 3) * torch.tensor([1, 1, 0]), "coplanar points that spread over 2"),
        (normal(20, 2) @ normal(2, 3, seed=1) + 4, "coplanar points that spread over 2"),
        (torch.ones(20, 3), "coplanar points that spread over 0"),
        (normal(20, 2)[:, [0, 0]], "must spread over 2 dimensions"),
        (normal(20, 1), "at least 2 dimensions"),
        (normal(20, 3) / 0, "points must be finite"),
        (normal(20, 3) * 1e12, "points must be at most"),
    ],
)
def test_hull_refuses_coplanar_points_and_too_few(points, message):
    with pytest.raises(ValueError, match=message):
        shapes.convex_hull(points)


def test_bounding_plane_of_a_tilted_half_space_is_its_boundary():
    # Points under z = 0.3 x - 0.5 y + 2, some of them on it, which is where the mean lies under.
    ground = normal(500, 2)
    drop = normal(500, 1, seed=1).abs() * (torch.arange(500) % 5 > 0)[:, None]
    height = 0.3 * ground[:, :1] - 0.5 * ground[:, 1:] + 2
    plane = shapes.bounding_plane(torch.cat([ground, height - drop], 1), 2, (0, 1))
    expected = torch.tensor([-0.3, 0.5, 1.0]).double()
    torch.testing.assert_close(plane.normal, expected / expected.norm())
    assert plane.offset.item() == pytest.approx(2 / expected.norm().item())
    below = shapes.bounding_plane(torch.cat([ground, drop - height], 1), 2, (0, 1), above=False)
    torch.testing.assert_close(below.normal, expected * torch.tensor([1, 1, -1]) / expected.norm())


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), above=st.booleans())
def test_bounding_line_holds_the_cloud_touches_it_and_lies_on_the_hull_at_the_mean(seed, above):
    points = normal(60, 3, seed=seed)
    plane = shapes.bounding_plane(points, 2, (1,), above)
    gap = plane.gap(points)
    assert plane.normal[0] == 0
    assert plane.normal.norm().item() == pytest.approx(1)
    assert (plane.normal[2] > 0) == above
    assert gap.min().item() == pytest.approx(0, abs=1e-9)
    # The highest point of the hull over the mean, by a programme over convex combinations.
    y, z = points[:, 1].numpy(), points[:, 2].numpy()
    mean = y.mean()
    best = scipy.optimize.linprog(
        -z if above else z, A_eq=np.stack([y, np.ones(60)]), b_eq=[mean, 1.0]
    )
    height = (plane.offset - plane.normal[1] * mean) / plane.normal[2]
    assert height.item() == pytest.approx((-1 if above else 1) * best.fun, abs=1e-7)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_bounding_plane_of_a_cloud_of_any_size_is_that_of_the_cloud(scale):
    points = normal(60, 3)
    plane, scaled = (shapes.bounding_plane(x, 2, (0, 1)) for x in (points, scale * points))
    torch.testing.assert_close(scaled.normal, plane.normal, rtol=1e-8, atol=0)
    torch.testing.assert_close(scaled.offset, scale * plane.offset, rtol=1e-8, atol=0)


def test_what_a_cloud_was_measured_by_refuses_points_of_another_kind():
    points = normal(30, 3)
    aligned = shapes.align(points, points.roll(1, 1))
    hull, plane = shapes.convex_hull(points), shapes.bounding_plane(points, 2, (0,))
    for measure in (aligned.forward, aligned.back, hull.depth, plane.gap):
        for wrong in (points[:, :2], points.long(), points.float(), points * math.nan):
            with pytest.raises(ValueError, match=r"(codes|points)"):
                measure(wrong)


def test_bounding_planes_refuse_what_they_cannot_take():
    points = normal(20, 3)
    for axis, along, message in (
        (0, (), r"along must be a sequence of one axis or more, got \(\)"),
        (0, 1, "along must be a sequence of one axis or more, got 1"),
        (0, (0,), r"axis and along must be different axes, got 0 and \[0\]"),
        (0, (1, 1), r"axis and along must be different axes, got 0 and \[1, 1\]"),
        (3, (0,), "axis must be an axis of points, 0 to 2, got 3"),
        (0, (-1,), "each entry of along must be an axis of points, 0 to 2, got -1"),
        (0.0, (1,), r"axis must be an axis of points, 0 to 2, got 0\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            shapes.bounding_plane(points, axis, along)
    with pytest.raises(ValueError, match=r"points must be a float tensor .* got int64"):
        shapes.bounding_plane(points.long(), 2, (0, 1))
    with pytest.raises(ValueError, match="points must have at least 3 rows"):
        shapes.bounding_plane(points[:2], 2, (0, 1))
    with pytest.raises(ValueError, match=r"points along \[1\] must spread over 1 dimensions"):
        shapes.bounding_plane(points * torch.tensor([1, 0, 1]), 2, (1,))
    with pytest.raises(ValueError, match="spread over 1"):
        shapes.bounding_plane(points[:, [0, 0, 2]], 2, (0, 1))
    with pytest.raises(ValueError, match="points must be finite"):
        shapes.bounding_plane(points * math.inf, 2, (0, 1))


# Curves through strips


def helix(t):
    return torch.stack([t.cos(), t.sin(), 0.4 * t], 1)


def test_spline_through_the_strip_about_a_helix_is_the_helix():
    t = torch.linspace(-3, 3, 4_000, dtype=torch.float64)
    curve = shapes.binned_spline(helix(t), axis=2, n_bins=20, n=101)
    torch.testing.assert_close(
        curve[:, 2], torch.linspace(-1.14, 1.14, 101).double(), atol=1e-3, rtol=0
    )
    # A bin of width 0.3 averages the circle: short by 0.3^2 / 24. Where a coordinate turns back
    # between two means, the curve stays level with the higher one: short by 0.3^2 / 8 more.
    assert (curve - helix(curve[:, 2] / 0.4)).norm(dim=1).max() < 1.1 * 0.3**2 / 6


def test_spline_has_no_wave_that_the_means_have_not():
    # A step: a natural spline swings past both levels.
    x = torch.linspace(0, 1, 600, dtype=torch.float64)
    y = (x > 0.5).double() + 0.02 * x
    points = torch.stack([x, y], 1)
    curve = shapes.binned_spline(points, axis=0, n_bins=6, n=301)
    means = torch.stack([part.mean(0) for part in points.chunk(6)])
    assert (curve[:, 1].diff() >= 0).all()
    for i in range(5):
        between = (curve[:, 0] >= means[i, 0]) & (curve[:, 0] <= means[i + 1, 0])
        part = curve[between, 1]
        assert part.min() >= means[i, 1] - 1e-9
        assert part.max() <= means[i + 1, 1] + 1e-9
    # It runs through the means themselves.
    nearest = torch.cdist(means, curve).amin(1)
    assert nearest.max() < 0.01


def test_spline_averages_noise_over_the_bins():
    t = 6 * torch.rand(4_000, generator=torch.Generator().manual_seed(0)).double() - 3
    noise = 0.3 * normal(4_000, 3) * torch.tensor([1, 1, 0])
    curve = shapes.binned_spline(helix(t) + noise, axis=2, n_bins=12, n=50)
    # 0.3 / sqrt(333) = 0.016 a bin and coordinate, and 0.5^2 / 24 = 0.01 of the circle.
    assert (curve - helix(curve[:, 2] / 0.4)).norm(dim=1).max() < 0.01 + 5 * 0.016


def test_spline_of_a_straight_strip_is_the_line_between_the_outer_means():
    x = torch.linspace(0, 1, 100, dtype=torch.float64)
    points = torch.stack([2 * x + 1, x], 1)
    curve = shapes.binned_spline(points, axis=1, n_bins=5, n=9)
    expected = paths.line(points[:20].mean(0), points[80:].mean(0), 9)
    torch.testing.assert_close(curve, expected)
    assert shapes.binned_spline(points.float(), 1, 5, 9).dtype == torch.float32


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (normal(4, 3), (0, 5, 9), r"points must have at least 5 rows, got \[4, 3\]"),
        (normal(50, 3), (0, 2, 9), "n_bins must be a whole number, 3 or more, got 2"),
        (normal(50, 3), (0, 5, 1), "n must be a whole number, 2 or more, got 1"),
        (normal(50, 3).long(), (0, 5, 9), "points must be a float tensor .* got int64"),
        (normal(50, 3), (3, 5, 9), r"axis must be an axis of points, 0 to 2, got 3"),
        (torch.ones(50, 3), (1, 5, 9), "must spread along axis 1, all lie at 1"),
        (torch.tensor([0, 0.1, 0.2, 1])[:, None].repeat(9, 3), (0, 4, 9), "2 of 4 along axis 0"),
        (normal(50, 3) * math.nan, (0, 5, 9), "points must be finite"),
    ],
)
def test_spline_refuses_empty_bins_and_too_few_points(points, options, message):
    with pytest.raises(ValueError, match=message):
        shapes.binned_spline(points, *options)
