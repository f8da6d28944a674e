"""The paths against geometry, scipy, brute force and quadrature."""

import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.spatial
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaebook.latent import geometry, paths, shapes


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
    with pytest.raises(ValueError, match="origin has no direction"):
        paths.slerp(a, 0 * a, 5)


@pytest.mark.parametrize("path", [paths.line, paths.slerp])
def test_ends_that_do_not_fit_are_refused(path):
    with pytest.raises(ValueError, match=r"got \[3\] and \[4\]"):
        path(torch.ones(3), torch.ones(4), 5)
    with pytest.raises(ValueError, match="n must be at least 2, got 1"):
        path(torch.ones(3), torch.ones(3), 1)


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
        (((0, 3), 1.0, 0.0, 1.0, 5), r"got \(0, 3\), centre \[3\]"),
        (((0, -1), 1.0, 0.0, 1.0, 5), r"got \(0, -1\)"),
        (((0, 1), 0.0, 0.0, 1.0, 5), "radius must be positive and finite, got 0.0"),
        (((0, 1), math.inf, 0.0, 1.0, 5), "got inf"),
        (((0, 1), 1.0, 0.0, 1.0, 1), "n must be at least 2, got 1"),
        (((0, 1), 1.0, 0.0, math.nan, 5), "start and stop must be finite"),
    ],
)
def test_arc_refuses_what_it_cannot_take(arguments, message):
    with pytest.raises(ValueError, match=message):
        paths.arc(torch.zeros(3), *arguments)


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
    with pytest.raises(ValueError, match=r"got \[2\] and \[3, 2\]"):
        paths.interpolate(corners, torch.tensor([0.5, 0.5]))
    with pytest.raises(ValueError, match=r"smallest of -0\.5"):
        paths.interpolate(corners, torch.tensor([1.0, 0.5, -0.5]))
    with pytest.raises(ValueError, match=r"sums from 0\.9 to 0\.9"):
        paths.interpolate(corners, torch.tensor([0.3, 0.3, 0.3]))
    with pytest.raises(ValueError, match="non-negative"):
        paths.interpolate(corners, torch.tensor([math.nan, 0.5, 0.5]))
    with pytest.raises(ValueError, match=r"floating type, got torch\.uint8"):
        paths.interpolate(torch.ones(3, 2, dtype=torch.uint8), torch.tensor([0.0, 0.5, 0.5]))
    with pytest.raises(ValueError, match="got 1 and 4"):
        paths.bilinear_weights(1, 4)


def test_quantile_grid_holds_the_middle_of_cells_of_equal_mass_with_up_on_top():
    grid = paths.quantile_grid(15)
    expected = scipy.stats.norm.ppf((np.arange(15) + 0.5) / 15)
    for k in range(15):
        np.testing.assert_allclose(grid[k, :, 0], expected, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(grid[:, k, 1], expected[::-1], rtol=1e-5, atol=1e-7)
    assert grid.dtype == torch.get_default_dtype()
    assert paths.quantile_grid(1).tolist() == [[[0.0, 0.0]]]
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        paths.quantile_grid(0)


# Polylines


def test_resampling_walks_the_same_path_in_even_steps():
    corner = torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 0.0], [3.0, 1.0]]).double()
    points = paths.resample(corner, 9)
    assert torch.equal(points[[0, -1]], corner[[0, -1]])
    expected = [[0.5 * k, 0.0] for k in range(7)] + [[3.0, 0.5], [3.0, 1.0]]
    torch.testing.assert_close(points, torch.tensor(expected).double())


def test_resampling_refuses_what_is_no_path():
    with pytest.raises(ValueError, match=r"n >= 2, got \[1, 2\]"):
        paths.resample(torch.zeros(1, 2), 5)
    with pytest.raises(ValueError, match="all its vertices are equal"):
        paths.resample(torch.zeros(3, 2), 5)
    with pytest.raises(ValueError, match="polyline must be finite"):
        paths.resample(torch.tensor([[0.0], [math.nan]]), 5)
    with pytest.raises(ValueError, match="n must be at least 2, got 1"):
        paths.resample(torch.eye(2), 1)


def test_decoded_length_of_a_linear_decoder_is_that_of_the_mapped_path():
    weight, polyline = normal(30, 3), normal(5, 3, seed=1)
    expected = sum((weight @ (b - a)).norm().item() for a, b in itertools.pairwise(polyline))
    length = geometry.decoded_length(polyline, lambda z: (z @ weight.T).reshape(-1, 1, 5, 6))
    assert length == pytest.approx(expected, rel=1e-12)


def test_decoded_length_converges_to_that_of_the_curve():
    # Decoded onto the unit circle, the line from 0 to pi is a half circle; chords are short
    # by pi^3 / 24 n^2.
    for n in (50, 400):
        t = paths.line(*torch.tensor([[0.0], [math.pi]], dtype=torch.float64), n + 1)
        length = geometry.decoded_length(t, lambda z: torch.cat([z.cos(), z.sin()], 1))
        assert math.pi - length == pytest.approx(math.pi**3 / 24 / n**2, rel=1e-3)


def test_decoded_length_refuses_a_decoder_that_loses_points():
    with pytest.raises(ValueError, match="an image a point, 4, got 3"):
        geometry.decoded_length(torch.eye(4), lambda z: z[1:])


# Tours


def table(c, seed):
    """Symmetric distances that keep no triangle inequality."""
    d = torch.rand(c, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return d + d.T


def walk(distances, order):
    return sum(distances[i, j].item() for i, j in itertools.pairwise(order))


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
        (torch.zeros(3, 4), r"\[C,C\] with C >= 1, got \[3, 4\]"),
        (torch.zeros(0, 0), r"C >= 1, got \[0, 0\]"),
        (torch.ones(17, 17), "at most 16 nodes to be exact, got 17"),
        (changed(1, 2, math.inf), "must be finite, got inf from 1 to 2"),
        (changed(0, 3, math.nan), "must be finite, got nan from 0 to 3"),
        (changed(0, 3, -1.0), "must be non-negative, got -1.0 from 0 to 3"),
        (changed(1, 3, 9.0, mirrored=False), "must be symmetric, got 9.0 from 1 to 3"),
    ],
)
def test_tour_refuses_what_it_cannot_take(distances, message):
    with pytest.raises(ValueError, match=message):
        paths.shortest_tour(distances)


# Geodesics


def flat(z):
    return torch.zeros(len(z))


def horseshoe(z):
    """Log-density of a ring of radius 3, thin below."""
    across = -0.5 * ((z.norm(dim=1) - 3) / 0.4).square()
    return across - 6.0 * torch.sigmoid(-4 * z[:, 1] - 4)


def test_geodesics_in_even_density_are_straight():
    codes, terminals = normal(30, 3), normal(4, 3, seed=1)
    lengths, polylines = geometry.geodesics(codes, terminals, flat)
    torch.testing.assert_close(lengths, torch.cdist(terminals, terminals))
    for i, j in itertools.permutations(range(4), 2):
        assert torch.equal(polylines[i][j][[0, -1]], terminals[[i, j]])
        straight = paths.line(terminals[i], terminals[j], 50)
        torch.testing.assert_close(paths.resample(polylines[i][j], 50), straight)
    assert torch.equal(polylines[2][2], terminals[[2]])


def test_geodesics_in_a_normal_density_are_those_of_clairaut():
    # f = exp(alpha r^2 / 2) is round: along a geodesic f r sin(angle with the radius) keeps a
    # value h, whence the angle swept and the length are integrals over r = nearest + u^2.
    alpha, radius = 0.5, 2.0

    def integral(nearest, numerator):
        h = nearest * math.exp(alpha * nearest**2 / 2)

        def integrand(u):
            r = nearest + u**2
            f = math.exp(alpha * r**2 / 2)
            return 2 * u * numerator(r, f, h) / math.sqrt((f * r) ** 2 - h**2)

        return 2 * scipy.integrate.quad(integrand, 1e-9, math.sqrt(radius - nearest))[0]

    nearest = scipy.optimize.brentq(
        lambda x: integral(x, lambda r, f, h: h / r) - math.pi / 2, 0.01, radius - 0.01
    )
    exact = integral(nearest, lambda r, f, h: f**2 * r)

    def log_density(z):
        return -0.5 * z.square().sum(1)

    terminals = torch.tensor([[radius, 0.0], [0.0, radius], [0.0, 0.0]]).double()
    lengths, polylines = geometry.geodesics(normal(400, 2), terminals, log_density, exponent=alpha)
    straight = paths.line(*terminals[:2], 2_001)
    cost = (0.5 * alpha * straight.square().sum(1)).exp()
    assert exact < 0.98 * torch.trapezoid(cost, dx=math.sqrt(8) / 2_000)
    assert lengths[0, 1].item() == pytest.approx(exact, rel=2e-3)
    path = paths.resample(polylines[0][1], 500)
    assert path.norm(dim=1).min().item() == pytest.approx(nearest, rel=0.02)


def test_geodesics_do_not_cling_to_the_shell_where_codes_of_many_dimensions_lie():
    codes = normal(500, 20)

    def log_density(z):
        return -0.5 * z.square().sum(1)

    ends = codes[:2]
    lengths, polylines = geometry.geodesics(codes, ends, log_density)
    unrelaxed, _ = geometry.geodesics(codes, ends, log_density, n_steps=0)
    line = paths.line(*ends, 2_001)
    cost = ((log_density(torch.cat([ends, codes])).max() - log_density(line)) / 20).exp()
    straight = torch.trapezoid(cost, dx=(ends[0] - ends[1]).norm().item() / 2_000).item()
    assert unrelaxed[0, 1].item() == pytest.approx(straight, rel=1e-3)
    assert lengths[0, 1] < 0.999 * straight
    assert log_density(paths.resample(polylines[0][1], 99)).max() > log_density(line).max()


def test_geodesic_length_is_the_density_integral_by_quadrature():
    # Two clumps on a line: there is but one way, and its length an integral.
    def log_density(z):
        return torch.logaddexp(
            -0.5 * (z[:, 0] - 2).square(), -0.5 * ((z[:, 0] + 2) / 0.7).square()
        )

    codes = torch.linspace(-5, 5, 801, dtype=torch.float64)[:, None]
    terminals = torch.tensor([[-2.5], [1.0], [4.0]], dtype=torch.float64)
    for exponent in (1.0, 0.3):
        lengths, _ = geometry.geodesics(codes, terminals, log_density, exponent=exponent)
        highest = log_density(torch.cat([codes, terminals])).max()
        for i, j in ((0, 1), (0, 2), (1, 2)):
            z = paths.line(terminals[i], terminals[j], 20_001)
            cost = (-exponent * (log_density(z) - highest)).exp()
            expected = torch.trapezoid(cost, z[:, 0]).item()
            assert lengths[i, j].item() == pytest.approx(expected, rel=2e-3)


def test_geodesic_goes_round_the_hole_that_a_line_crosses():
    angle = 2 * math.pi * torch.rand(1_500, generator=torch.Generator().manual_seed(0))
    codes = torch.stack([angle.cos(), angle.sin()], 1).double() * (3 + 0.4 * normal(1_500, 1))
    terminals = torch.tensor([[-2.8, -1.0], [2.8, -1.0]]).double()
    lengths, polylines = geometry.geodesics(codes, terminals, horseshoe)
    half = geometry.geodesics(codes, terminals, horseshoe, exponent=0.5).lengths
    torch.testing.assert_close(lengths, half)
    path = paths.resample(polylines[0][1], 500)
    straight = paths.line(*terminals, 500)
    assert horseshoe(path).min() > horseshoe(terminals).min() - 0.1
    assert horseshoe(straight).min() < -15
    # Above, where the ring is dense, although below is nearer and the line would slide there.
    assert path[:, 1].min() > -1.5
    assert path[:, 1].max() > 2.5
    assert lengths[0, 1] == lengths[1, 0]


def test_geodesics_read_the_same_backwards():
    codes, terminals = normal(300, 2), normal(5, 2, seed=1)
    lengths, polylines = geometry.geodesics(codes, terminals, lambda z: -z.square().sum(1))
    assert torch.equal(lengths, lengths.T)
    for i, j in itertools.combinations(range(5), 2):
        assert torch.equal(polylines[i][j][[0, -1]], terminals[[i, j]])
        assert torch.equal(polylines[j][i].flip(0), polylines[i][j])


def test_coinciding_codes_and_terminals_cost_nothing_to_reach():
    codes = normal(50, 2)
    lengths, polylines = geometry.geodesics(
        torch.cat([codes, codes]), codes[[0, 0, 1]], flat, n_neighbors=12
    )
    torch.testing.assert_close(lengths[0], torch.stack([lengths[0, 0], *lengths[1, 1:]]))
    assert lengths[0, 1] == 0
    assert (polylines[0][1] == codes[0]).all()
    assert lengths[0, 2].item() == pytest.approx((codes[0] - codes[1]).norm().item())


def test_geodesics_refuse_what_they_cannot_take():
    codes, terminals = normal(30, 2), torch.zeros(2, 2).double()
    apart = torch.cat([codes, codes + 1e3])
    far = torch.tensor([[0.0, 0.0], [1e3, 1e3]]).double()
    with pytest.raises(ValueError, match="terminals 0 and 1 are not connected with n_neighbors 4"):
        geometry.geodesics(apart, far, flat, n_neighbors=4)
    with pytest.raises(ValueError, match=r"got \[30, 2\] and \[2, 3\]"):
        geometry.geodesics(codes, torch.zeros(2, 3), flat)
    with pytest.raises(ValueError, match="codes and terminals must be finite"):
        geometry.geodesics(codes * math.nan, terminals, flat)
    with pytest.raises(ValueError, match="between 1 and 31, got 32"):
        geometry.geodesics(codes, terminals, flat, n_neighbors=32)
    with pytest.raises(ValueError, match="exponent must be finite and at least 0, got -1"):
        geometry.geodesics(codes, terminals, flat, exponent=-1)
    with pytest.raises(ValueError, match="n_steps at least 0, got 2 and 60"):
        geometry.geodesics(codes, terminals, flat, n_points=2)
    with pytest.raises(ValueError, match="n_steps at least 0, got 24 and -1"):
        geometry.geodesics(codes, terminals, flat, n_steps=-1)
    with pytest.raises(ValueError, match="log_density must be finite"):
        geometry.geodesics(codes, terminals, lambda z: flat(z) - math.inf)


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
        (normal(9, 3), normal(9, 2), r"got \[9, 3\] and \[9, 2\]"),
        (
            normal(3, 3),
            normal(3, 3),
            r"codes must be \[N,D\] with at least 4 points, got \[3, 3\]",
        ),
        (normal(9, 3) * math.nan, normal(9, 3), "codes must be finite"),
        (normal(9, 3), normal(9, 3) * torch.tensor([1, 0, 1]), "factors must vary, number 1 is"),
        (normal(9, 3)[:, [0, 1, 1]], normal(9, 3), "vary together in only 2 of 3 directions"),
    ],
)
def test_alignment_refuses_what_does_not_determine_it(codes, factors, message):
    with pytest.raises(ValueError, match=message):
        shapes.align(codes, factors)


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
        (normal(3, 3), "with at least 4 points"),
        (normal(20, 3) * torch.tensor([1, 1, 0]), "coplanar points that spread over 2"),
        (normal(20, 2) @ normal(2, 3, seed=1) + 4, "coplanar points that spread over 2"),
        (torch.ones(20, 3), "coplanar points that spread over 0"),
        (normal(20, 2)[:, [0, 0]], "must spread over 2 dimensions"),
        (normal(20, 1), "at least 2 dimensions"),
        (normal(20, 3) / 0, "points must be finite"),
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


def test_bounding_planes_refuse_what_they_cannot_take():
    points = normal(20, 3)
    for axis, along in ((0, ()), (0, (0,)), (3, (0,)), (0, (1, 1)), (0, (-1,))):
        with pytest.raises(ValueError, match="axis and along must name different axes"):
            shapes.bounding_plane(points, axis, along)
    with pytest.raises(ValueError, match="at least 3 points"):
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
    # A bin of width 0.3 averages the circle: short by 0.3^2 / 24, and the natural ends add a bit.
    assert (curve - helix(curve[:, 2] / 0.4)).norm(dim=1).max() < 0.02
    assert (curve - helix(curve[:, 2] / 0.4))[20:-20].norm(dim=1).max() < 1.1 * 0.3**2 / 24


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
        (normal(4, 3), (0, 5, 9), r"at least 5 points, got \[4, 3\]"),
        (normal(50, 3), (0, 2, 9), "n_bins must be at least 3 and n at least 2, got 2 and 9"),
        (normal(50, 3), (0, 5, 1), "n at least 2, got 5 and 1"),
        (normal(50, 3), (3, 5, 9), r"axis must lie in \[0, 3\), got 3"),
        (torch.ones(50, 3), (1, 5, 9), "must spread along axis 1, all lie at 1"),
        (torch.tensor([0, 0.1, 0.2, 1])[:, None].repeat(9, 3), (0, 4, 9), "2 of 4 along axis 0"),
        (normal(50, 3) * math.nan, (0, 5, 9), "points must be finite"),
    ],
)
def test_spline_refuses_empty_bins_and_too_few_points(points, options, message):
    with pytest.raises(ValueError, match=message):
        shapes.binned_spline(points, *options)
