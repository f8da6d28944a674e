"""The paths against geometry, SciPy and brute force."""

import itertools
import math

import numpy as np
import pytest
import scipy.spatial
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaebook.latent import paths


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# Lines and arcs


def test_line_goes_from_a_to_b_in_even_steps():
    a, b = normal(2, 20)
    points = paths.line(a, b, 9)
    assert torch.equal(points[0], a)
    assert torch.equal(points[-1], b)
    torch.testing.assert_close(points.diff(dim=0), ((b - a) / 8).expand(8, 20))


@pytest.mark.slow
def test_middle_of_a_line_is_short_by_root_two_and_of_a_great_circle_is_not():
    a, b = normal(2, 4_000, 20)
    line = torch.stack([paths.line(x, y, 3)[1] for x, y in zip(a, b, strict=True)])
    circle = torch.stack([paths.slerp(x, y, 3)[1] for x, y in zip(a, b, strict=True)])
    # |z|^2 is D/2 chi-square/D for the line: standard error 10 sqrt(2/20) / sqrt(4000) = 0.05.
    assert line.square().sum(1).mean().item() == pytest.approx(10, abs=4.5 * 0.05)
    # E |a| of 20 dimensions is 4.416, and the mean of two such norms varies by 0.5.
    expected = scipy.stats.chi(20).mean()
    assert circle.norm(dim=1).mean().item() == pytest.approx(expected, abs=4.5 * 0.5 / 63)


@given(seed=st.integers(0, 10_000), d=st.integers(2, 20))
def test_slerp_is_the_great_circle_with_the_norm_growing_evenly(seed, d):
    a, b = normal(2, d, seed=seed)
    points = paths.slerp(a, b, 7)
    expected = scipy.spatial.geometric_slerp(
        (a / a.norm()).numpy(), (b / b.norm()).numpy(), np.linspace(0, 1, 7)
    )
    np.testing.assert_allclose(points / points.norm(dim=1, keepdim=True), expected, atol=1e-9)
    norms = torch.linspace(a.norm().item(), b.norm().item(), 7, dtype=torch.float64)
    torch.testing.assert_close(points.norm(dim=1), norms)


def test_slerp_of_one_direction_is_the_line():
    a = normal(5)
    for b in (3 * a, a, a + 1e-9 * normal(5, seed=1)):
        torch.testing.assert_close(paths.slerp(a, b, 5), paths.line(a, b, 5), rtol=0, atol=1e-12)


def test_slerp_refuses_ends_without_a_great_circle():
    a = normal(5)
    for b in (-a, -2 * a):
        with pytest.raises(ValueError, match="opposite"):
            paths.slerp(a, b, 5)
    with pytest.raises(ValueError, match="b must not be zero: the origin has no direction"):
        paths.slerp(a, 0 * a, 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e20])
def test_slerp_of_very_short_and_very_long_ends_is_slerp_scaled(dtype, scale):
    a, b = normal(2, 8).to(dtype)
    expected = scale * paths.slerp(a, b, 7)
    torch.testing.assert_close(paths.slerp(scale * a, scale * b, 7), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("path", [paths.line, paths.slerp])
def test_ends_that_do_not_fit_are_refused(path):
    one = torch.ones(3)
    for a, b, n, message in (
        (one, torch.ones(4), 5, r"b must be a float tensor \[3\], got float32 of shape \[4\]"),
        (torch.eye(3), torch.eye(3), 5, r"a must be a float tensor \[D\]"),
        (one.long(), one, 5, "a must be a float tensor .* got int64"),
        (one, one.long(), 5, "b must be a float tensor .* got int64"),
        (one, one.double(), 5, "a and b must be of one dtype"),
        (one, one.to("meta"), 5, "must hold values, got a tensor on the device meta"),
        (one * math.inf, one, 5, "a must be finite, got inf"),
        (one, [1, 1, 1], 5, "b must be a float tensor .* got list"),
        (one[:0], one[:0], 5, r"a must be .* got float32 of shape \[0\]"),
        (one, one, 1, "n must be a whole number, 2 or more, got 1"),
        (one, one, 2.0, r"n must be a whole number, 2 or more, got 2\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            path(a, b, n)


def test_arc_turns_in_its_plane_only_and_at_its_radius():
    centre = normal(6)
    points = paths.arc(centre, (4, 1), 2.5, 0.3, 2.3, 11) - centre
    torch.testing.assert_close(points.norm(dim=1), torch.full((11,), 2.5).double())
    angles = torch.atan2(points[:, 1], points[:, 4])
    torch.testing.assert_close(angles, torch.linspace(0.3, 2.3, 11, dtype=torch.float64))
    assert (points[:, [0, 2, 3, 5]] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1, 1), 1.0, 0.0, 1.0, 5), r"two different axes .* got \(1, 1\)"),
        (((0, 3), 1.0, 0.0, 1.0, 5), r"axes of centre \[3\], got \(0, 3\)"),
        (((0, 1.0), 1.0, 0.0, 1.0, 5), r"got \(0, 1\.0\)"),
        ((2, 1.0, 0.0, 1.0, 5), "two different axes .* got 2"),
        (((0, -1), 1.0, 0.0, 1.0, 5), r"got \(0, -1\)"),
        (((0, 1), 0.0, 0.0, 1.0, 5), r"radius must be a finite number in \(0, 1e\+09\), got 0\.0"),
        (((0, 1), math.inf, 0.0, 1.0, 5), "got inf"),
        (((0, 1), 1.0, 0.0, 1.0, 1), "n must be a whole number, 2 or more, got 1"),
        (((0, 1), 1.0, 0.0, math.nan, 5), "stop must be a finite number"),
    ],
)
def test_arc_refuses_what_it_cannot_take(arguments, message):
    with pytest.raises(ValueError, match=message):
        paths.arc(torch.zeros(3), *arguments)


def test_arc_refuses_a_centre_of_whole_numbers():
    with pytest.raises(ValueError, match=r"centre must be a float tensor \[D\], got int64"):
        paths.arc(torch.zeros(3).long(), (0, 1), 1.0, 0.0, 1.0, 5)


# Interpolation


def test_bilinear_blend_of_images_is_that_of_torch():
    corners = torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    blend = paths.interpolate(corners, paths.bilinear_weights(6, 9))
    assert blend.shape == (6, 9, 1, 5, 5)
    square = corners.flatten(1).T.reshape(1, 25, 2, 2)
    expected = torch.nn.functional.interpolate(
        square, size=(6, 9), mode="bilinear", align_corners=True
    )
    torch.testing.assert_close(blend.flatten(2), expected[0].permute(1, 2, 0))


@pytest.mark.parametrize("spherical", [False, True])
def test_corners_are_met_at_the_corners(spherical):
    corners = normal(4, 7)
    grid = paths.interpolate(corners, paths.bilinear_weights(3, 5), spherical)
    torch.testing.assert_close(grid[[0, 0, -1, -1], [0, -1, 0, -1]], corners)


def test_spherical_combinations_of_normal_corners_are_standard_normal():
    corners = normal(3, 20_000)
    weights = torch.tensor([[0.2, 0.3, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    # A variance from 20,000 draws has an error of 1 %.
    spherical = paths.interpolate(corners, weights, spherical=True).var(1)
    torch.testing.assert_close(spherical, torch.ones(2).double(), rtol=0.045, atol=0)
    plain = paths.interpolate(corners, weights).var(1)
    torch.testing.assert_close(plain, weights.square().sum(1).double(), rtol=0.045, atol=0)


def test_interpolation_refuses_weights_that_are_not_convex():
    corners = normal(3, 2)
    with pytest.raises(ValueError, match=r"weights must be a float tensor \[\.\.\., 3\]"):
        paths.interpolate(corners, torch.tensor([0.5, 0.5]))
    with pytest.raises(ValueError, match=r"smallest of -0\.5"):
        paths.interpolate(corners, torch.tensor([1.0, 0.5, -0.5]))
    with pytest.raises(ValueError, match=r"sums from 0\.9 to 0\.9"):
        paths.interpolate(corners, torch.tensor([0.3, 0.3, 0.3]))
    with pytest.raises(ValueError, match=r"weights must be finite, got nan at \[0\]"):
        paths.interpolate(corners, torch.tensor([math.nan, 0.5, 0.5]))
    with pytest.raises(ValueError, match=r"corners must be a float tensor .* got uint8"):
        paths.interpolate(torch.ones(3, 2, dtype=torch.uint8), torch.tensor([0.0, 0.5, 0.5]))
    with pytest.raises(ValueError, match=r"corners must be a float tensor \[K, \.\.\.\]"):
        paths.interpolate([[0.0], [1.0]], torch.tensor([0.5, 0.5]))
    with pytest.raises(ValueError, match="must hold values"):
        paths.interpolate(corners.to("meta"), torch.tensor([0.0, 0.5, 0.5]))
    with pytest.raises(ValueError, match="rows must be a whole number, 2 or more, got 1"):
        paths.bilinear_weights(1, 4)


def test_quantile_grid_holds_the_middle_of_cells_of_equal_mass_with_up_on_top():
    grid = paths.quantile_grid(15)
    expected = scipy.stats.norm.ppf((np.arange(15) + 0.5) / 15)
    for k in range(15):
        np.testing.assert_allclose(grid[k, :, 0], expected, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(grid[:, k, 1], expected[::-1], rtol=1e-5, atol=1e-7)
    assert grid.dtype == torch.get_default_dtype()
    assert paths.quantile_grid(1).tolist() == [[[0.0, 0.0]]]
    with pytest.raises(ValueError, match="n must be a whole number, 1 or more, got 0"):
        paths.quantile_grid(0)


# Polylines


def test_resampling_walks_the_same_path_in_even_steps():
    corner = torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 0.0], [3.0, 1.0]]).double()
    points = paths.resample(corner, 9)
    assert torch.equal(points[[0, -1]], corner[[0, -1]])
    expected = [[0.5 * k, 0.0] for k in range(7)] + [[3.0, 0.5], [3.0, 1.0]]
    torch.testing.assert_close(points, torch.tensor(expected).double())


@given(repeats=st.lists(st.integers(1, 4), min_size=5, max_size=5), n=st.integers(2, 30))
def test_resampling_does_not_see_repeated_vertices(repeats, n):
    vertices = normal(5, 3)
    repeated = vertices.repeat_interleave(torch.tensor(repeats), dim=0)
    torch.testing.assert_close(paths.resample(repeated, n), paths.resample(vertices, n))


def test_resampling_refuses_what_is_no_path():
    with pytest.raises(ValueError, match=r"polyline must have at least 2 rows, got \[1, 2\]"):
        paths.resample(torch.zeros(1, 2), 5)
    with pytest.raises(ValueError, match="all its vertices are equal"):
        paths.resample(torch.zeros(3, 2), 5)
    with pytest.raises(ValueError, match="polyline must be finite"):
        paths.resample(torch.tensor([[0.0], [math.nan]]), 5)
    with pytest.raises(ValueError, match=r"polyline must be a float tensor .* got int64"):
        paths.resample(torch.eye(2).long(), 5)
    with pytest.raises(ValueError, match="n must be a whole number, 2 or more, got 1"):
        paths.resample(torch.eye(2), 1)


# Tours


def table(c, seed):
    """Symmetric distances that keep no triangle inequality."""
    d = torch.rand(c, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return d + d.T


def walk(distances, order):
    return sum(distances[i, j].item() for i, j in itertools.pairwise(order))


@pytest.mark.slow
@given(c=st.integers(1, 7), seed=st.integers(0, 10_000))
def test_tour_is_the_shortest_of_all_permutations(c, seed):
    distances = table(c, seed)
    tour = paths.shortest_tour(distances)
    order = tour.order.tolist()
    best = min(walk(distances, p) for p in itertools.permutations(range(c)))
    assert sorted(order) == list(range(c))
    assert order[0] <= order[-1]
    assert tour.length == pytest.approx(best, rel=1e-12)
    assert walk(distances, order) == pytest.approx(best, rel=1e-12)


@pytest.mark.slow
def test_tour_of_sixteen_points_on_a_line_is_their_order():
    x = normal(16, 1)
    tour = paths.shortest_tour(torch.cdist(x, x))
    along = x[tour.order, 0].diff()
    assert (along > 0).all() or (along < 0).all()
    assert tour.length == pytest.approx((x.max() - x.min()).item())


def test_tour_through_equal_or_coinciding_nodes_is_still_a_permutation():
    for distances in (torch.ones(5, 5), torch.zeros(5, 5)):
        assert sorted(paths.shortest_tour(distances).order.tolist()) == list(range(5))


def test_tour_does_not_read_the_diagonal():
    distances = table(6, 0)
    without = distances.clone().fill_diagonal_(0)
    assert paths.shortest_tour(distances).order.equal(paths.shortest_tour(without).order)
    assert paths.shortest_tour(distances).length == paths.shortest_tour(without).length


def changed(i, j, value, mirrored=True):
    distances = table(4, 0)
    distances[i, j] = value
    if mirrored:
        distances[j, i] = value
    return distances


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        (torch.zeros(3, 4), r"distances must be a float tensor \[C, C\], .* \[3, 4\]"),
        (torch.zeros(0, 0), r"distances must be a float tensor \[C, C\], .* \[0, 0\]"),
        (torch.ones(3, 3).long(), "distances must be a float tensor .* got int64"),
        (torch.ones(17, 17), "at most 16 nodes to be exact, got 17"),
        (changed(1, 2, math.inf), r"distances must be finite, got inf at \[1, 2\]"),
        (changed(0, 3, math.nan), r"distances must be finite, got nan at \[0, 3\]"),
        (changed(0, 3, -1.0), "must be non-negative, got -1.0 from 0 to 3"),
        (changed(1, 3, 9.0, mirrored=False), "must be symmetric, got 9.0 from 1 to 3"),
    ],
)
def test_tour_refuses_what_it_cannot_take(distances, message):
    with pytest.raises(ValueError, match=message):
        paths.shortest_tour(distances)
