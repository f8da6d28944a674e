"""Paths that prefer dense regions, against quadrature and known curves."""

import itertools
import math

import pytest
import scipy.integrate
import scipy.optimize
import torch

from vaebook.latent import paths
from vaebook.latent.dense import dense_paths


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def flat(z):
    return torch.zeros(len(z))


def horseshoe(z):
    """Log-density of a ring of radius 3, thin below."""
    across = -0.5 * ((z.norm(dim=1) - 3) / 0.4).square()
    return across - 6.0 * torch.sigmoid(-4 * z[:, 1] - 4)


@pytest.mark.slow
def test_dense_paths_in_even_density_are_straight():
    codes, terminals = normal(30, 3), normal(4, 3, seed=1)
    lengths, polylines = dense_paths(codes, terminals, flat)
    torch.testing.assert_close(lengths, torch.cdist(terminals, terminals))
    for i, j in itertools.permutations(range(4), 2):
        assert torch.equal(polylines[i][j][[0, -1]], terminals[[i, j]])
        straight = paths.line(terminals[i], terminals[j], 50)
        torch.testing.assert_close(paths.resample(polylines[i][j], 50), straight)
    assert torch.equal(polylines[2][2], terminals[[2]])


@pytest.mark.slow
def test_dense_paths_in_a_normal_density_are_those_of_clairaut():
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
    lengths, polylines = dense_paths(normal(400, 2), terminals, log_density, exponent=alpha)
    straight = paths.line(*terminals[:2], 2_001)
    cost = (0.5 * alpha * straight.square().sum(1)).exp()
    assert exact < 0.98 * torch.trapezoid(cost, dx=math.sqrt(8) / 2_000)
    assert lengths[0, 1].item() == pytest.approx(exact, rel=2e-3)
    path = paths.resample(polylines[0][1], 500)
    assert path.norm(dim=1).min().item() == pytest.approx(nearest, rel=0.02)


@pytest.mark.slow
def test_dense_paths_do_not_cling_to_the_shell_where_codes_of_many_dimensions_lie():
    codes = normal(500, 20)

    def log_density(z):
        return -0.5 * z.square().sum(1)

    ends = codes[:2]
    lengths, polylines = dense_paths(codes, ends, log_density)
    unrelaxed, _ = dense_paths(codes, ends, log_density, n_steps=0)
    line = paths.line(*ends, 2_001)
    cost = ((log_density(torch.cat([ends, codes])).max() - log_density(line)) / 20).exp()
    straight = torch.trapezoid(cost, dx=(ends[0] - ends[1]).norm().item() / 2_000).item()
    assert unrelaxed[0, 1].item() == pytest.approx(straight, rel=1e-3)
    assert lengths[0, 1] < 0.999 * straight
    assert log_density(paths.resample(polylines[0][1], 99)).max() > log_density(line).max()


@pytest.mark.slow
def test_length_is_the_density_integral_by_quadrature():
    # Two clumps on a line: there is but one way, and its length an integral.
    def log_density(z):
        return torch.logaddexp(
            -0.5 * (z[:, 0] - 2).square(), -0.5 * ((z[:, 0] + 2) / 0.7).square()
        )

    codes = torch.linspace(-5, 5, 801, dtype=torch.float64)[:, None]
    terminals = torch.tensor([[-2.5], [1.0], [4.0]], dtype=torch.float64)
    for exponent in (1.0, 0.3):
        lengths, _ = dense_paths(codes, terminals, log_density, exponent=exponent)
        highest = log_density(torch.cat([codes, terminals])).max()
        for i, j in ((0, 1), (0, 2), (1, 2)):
            z = paths.line(terminals[i], terminals[j], 20_001)
            cost = (-exponent * (log_density(z) - highest)).exp()
            expected = torch.trapezoid(cost, z[:, 0]).item()
            assert lengths[i, j].item() == pytest.approx(expected, rel=2e-3)


@pytest.mark.slow
def test_a_path_goes_round_the_hole_that_a_line_crosses():
    angle = 2 * math.pi * torch.rand(1_500, generator=torch.Generator().manual_seed(0))
    codes = torch.stack([angle.cos(), angle.sin()], 1).double() * (3 + 0.4 * normal(1_500, 1))
    terminals = torch.tensor([[-2.8, -1.0], [2.8, -1.0]]).double()
    lengths, polylines = dense_paths(codes, terminals, horseshoe)
    half = dense_paths(codes, terminals, horseshoe, exponent=0.5).lengths
    torch.testing.assert_close(lengths, half)
    path = paths.resample(polylines[0][1], 500)
    straight = paths.line(*terminals, 500)
    assert horseshoe(path).min() > horseshoe(terminals).min() - 0.1
    assert horseshoe(straight).min() < -15
    # Above, where the ring is dense, although below is nearer and the line would slide there.
    assert path[:, 1].min() > -1.5
    assert path[:, 1].max() > 2.5
    assert lengths[0, 1] == lengths[1, 0]


@pytest.mark.slow
def test_dense_paths_read_the_same_backwards():
    codes, terminals = normal(300, 2), normal(5, 2, seed=1)
    lengths, polylines = dense_paths(codes, terminals, lambda z: -z.square().sum(1))
    assert torch.equal(lengths, lengths.T)
    for i, j in itertools.combinations(range(5), 2):
        assert torch.equal(polylines[i][j][[0, -1]], terminals[[i, j]])
        assert torch.equal(polylines[j][i].flip(0), polylines[i][j])


@pytest.mark.slow
def test_coinciding_codes_and_terminals_cost_nothing_to_reach():
    codes = normal(50, 2)
    lengths, polylines = dense_paths(
        torch.cat([codes, codes]), codes[[0, 0, 1]], flat, n_neighbors=12
    )
    torch.testing.assert_close(lengths[0], torch.stack([lengths[0, 0], *lengths[1, 1:]]))
    assert lengths[0, 1] == 0
    assert (polylines[0][1] == codes[0]).all()
    assert lengths[0, 2].item() == pytest.approx((codes[0] - codes[1]).norm().item())


def test_dense_paths_refuse_what_they_cannot_take():
    codes, terminals = normal(30, 2), torch.zeros(2, 2).double()
    apart = torch.cat([codes, codes + 1e3])
    far = torch.tensor([[0.0, 0.0], [1e3, 1e3]]).double()
    with pytest.raises(ValueError, match="terminals 0 and 1 are not connected with n_neighbors 4"):
        dense_paths(apart, far, flat, n_neighbors=4)
    for one, two, message in (
        (codes, torch.zeros(2, 3), r"terminals must be a float tensor \[C, 2\]"),
        (codes.long(), terminals, "codes must be a float tensor .* got int64"),
        # Ends of whole numbers once crashed the interpreter.
        (codes, terminals.long(), "terminals must be a float tensor .* got int64"),
        (codes, terminals.float(), "codes and terminals must be of one dtype"),
        (codes, terminals.to("meta"), "must hold values, got a tensor on the device meta"),
        (codes * math.nan, terminals, "codes must be finite"),
        (codes, terminals / 0, "terminals must be finite"),
        (codes[:0], terminals, "codes must be a float tensor"),
    ):
        with pytest.raises(ValueError, match=message):
            dense_paths(one, two, flat)
    for options, message in (
        ({"n_neighbors": 32}, "n_neighbors must be at most 31, got 32"),
        ({"n_neighbors": 0}, "n_neighbors must be a whole number, 1 or more"),
        ({"exponent": -1}, r"exponent must be a finite number in \[0, inf\], got -1"),
        ({"exponent": math.nan}, "exponent must be a finite number"),
        ({"n_points": 2}, "n_points must be a whole number, 3 or more, got 2"),
        ({"n_steps": -1}, "n_steps must be a whole number, 0 or more, got -1"),
        ({"n_steps": math.inf}, "n_steps must be a whole number, 0 or more, got inf"),
    ):
        with pytest.raises(ValueError, match=message):
            dense_paths(codes, terminals, flat, **options)
    for log_density, message in (
        (None, "log_density must map points to log-densities, got None"),
        (lambda z: flat(z) - math.inf, r"log_density\(nodes\) must be finite"),
        (lambda z: z, r"log_density\(nodes\) must be a float tensor \[32\]"),
    ):
        with pytest.raises(ValueError, match=message):
            dense_paths(codes, terminals, log_density)


def test_many_codes_with_a_coordinate_of_zero_are_no_trouble():
    # SciPy's tree of such points needs denormal numbers: nothing may have switched them off.
    codes = normal(200, 2).clamp_min(0)
    found = dense_paths(codes, torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double(), flat)
    assert found.lengths[0, 1].item() == pytest.approx(math.sqrt(2))
