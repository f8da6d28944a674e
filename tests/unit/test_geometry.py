"""The geometry of decoders against surfaces whose geodesics are known."""

import math

import pytest
import torch
from torch import nn

from tests.often import often
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


@pytest.mark.slow
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


# Surfaces with known geodesics


def torus(z):
    """Angles round the axis and round the tube, of radii 2 and 1."""
    u, v = z.T
    wide = 2 + v.cos()
    return torch.stack([wide * u.cos(), wide * u.sin(), v.sin()], 1)


def pseudosphere(z):
    """The half-plane's part above y = 1, which fits isometrically into space."""
    x, y = z.T
    return torch.stack([x.cos() / y, x.sin() / y, y.acosh() - (1 - y**-2).sqrt()], 1)


def half_plane(n, seed=0):
    return torch.cat([uniform(-1, 1, n, 1, seed=seed), uniform(1.5, 4, n, 1, seed=seed + 9)], 1)


def half_plane_distance(a, b):
    return (1 + (a - b).square().sum(1) / (2 * a[:, 1] * b[:, 1])).acosh()


def bent(z):
    """One plane in curved coordinates."""
    u, v = z.T
    return torch.stack([u + 0.3 * v.sin(), v + 0.2 * u.square()], 1)


def cone(slope):
    def decode(z):
        return torch.cat([z, slope * z.norm(dim=1, keepdim=True)], 1)

    return decode


def clairaut(paths):
    """The torus' radius times the cosine of the angle with its parallels, at midpoints [B, n]."""
    step, middle = paths.diff(dim=1), paths[:, 1:].lerp(paths[:, :-1], 0.5)
    wide = 2 + middle[..., 1].cos()
    along, across = wide * step[..., 0], step[..., 1]
    return wide * along / torch.hypot(along, across)


@pytest.mark.slow
def test_geodesics_and_exp_of_the_torus_keep_clairauts_number():
    start, end = uniform(-1, 1, 6, 2), uniform(-1, 1, 6, 2, seed=1)
    found = geometry.geodesic(torus, start, end, n_points=200, tolerance=1e-10)
    assert found.converged.all()
    shot = geometry.exp(torus, start, end - start, n_steps=200)
    for paths in (found.paths, shot):
        number = clairaut(paths)
        assert (number - number[:, :1]).abs().max() < 1e-3
    # Which is no matter of course: straight lines on the chart don't.
    straight = clairaut(torch.lerp(start[:, None], end[:, None], LINE))
    assert (straight - straight[:, :1]).abs().max() > 0.1


def test_geodesics_of_the_pseudosphere_are_the_circles_of_the_half_plane():
    start, end = half_plane(12), half_plane(12, seed=1)
    found = geometry.geodesic(pseudosphere, start, end, n_points=100, tolerance=1e-10)
    torch.testing.assert_close(found.lengths, half_plane_distance(start, end), rtol=1e-4, atol=0)
    centre = (end.square().sum(1) - start.square().sum(1)) / (end - start)[:, 0] / 2
    centre = torch.stack([centre, torch.zeros(12).double()], 1)
    radius = (start - centre).norm(dim=1)
    away = (found.paths - centre[:, None]).norm(dim=2) - radius[:, None]
    assert (away.abs() / radius[:, None]).max() < 1e-3


def test_lengths_of_a_bent_plane_are_euclidean_and_its_geodesics_straight():
    start, end = uniform(-1, 1, 8, 2), uniform(-1, 1, 8, 2, seed=1)
    found = geometry.geodesic(bent, start, end, tolerance=1e-10)
    torch.testing.assert_close(found.lengths, (bent(start) - bent(end)).norm(dim=1))
    images = bent(found.paths.flatten(0, 1)).unflatten(0, (8, 32))
    straight = torch.lerp(images[:, :1], images[:, -1:], LINE)
    torch.testing.assert_close(images, straight, rtol=0, atol=1e-6)


@pytest.mark.parametrize("side", [1, -1])
def test_geodesics_of_a_cone_are_straight_in_its_sector_on_the_side_where_they_begin(side):
    # Unrolled, an angle of the cone's is smaller by sqrt(1 + slope^2), a radius larger.
    slope, angle, radii = 2.0, 2.5, (1.0, 1.5)
    turned = angle if side == 1 else angle - 2 * math.pi
    phi = turned * LINE
    radius = torch.lerp(*(torch.tensor(r).double() for r in radii), LINE)
    initial = (radius * torch.cat([phi.cos(), phi.sin()], 1))[None]
    decode = cone(slope)
    found = geometry.geodesic(
        decode, initial[:, 0], initial[:, -1], initial=initial, tolerance=1e-10
    )
    stretch = math.sqrt(1 + slope**2)
    a, b = (r * stretch for r in radii)
    expected = math.sqrt(a**2 + b**2 - 2 * a * b * math.cos(abs(turned) / stretch))
    assert found.lengths.item() == pytest.approx(expected, rel=1e-3)


def test_curvatures_are_those_of_the_surfaces():
    torus_points = uniform(-3, 3, 9, 2)
    tube = torus_points[:, 1].cos()
    for decode, z, expected in (
        (sphere, sphere_points(9), torch.ones(9)),
        (pseudosphere, half_plane(9), -torch.ones(9)),
        (torus, torus_points, tube / (2 + tube)),
        (bent, uniform(-1, 1, 9, 2), torch.zeros(9)),
    ):
        curvature = geometry.curvature(decode, z, normal(9, 2), normal(9, 2, seed=1))
        torch.testing.assert_close(curvature, expected.double(), rtol=1e-7, atol=1e-9)


def test_curvature_of_a_product_is_zero_across_and_one_along_its_spheres():
    def spheres(z):
        return torch.cat([sphere(z[:, :2]), sphere(z[:, 2:])], 1)

    z = torch.cat([sphere_points(4), sphere_points(4, seed=1)], 1)
    a, b, c = (torch.eye(4).double()[i].expand(4, 4) for i in (0, 1, 2))
    torch.testing.assert_close(geometry.curvature(spheres, z, a, b), torch.ones(4).double())
    torch.testing.assert_close(
        geometry.curvature(spheres, z, a, c), torch.zeros(4).double(), rtol=0, atol=1e-9
    )


@pytest.mark.slow
def test_exp_of_the_sphere_runs_along_great_circles_at_the_speed_it_is_given():
    z, v = sphere_points(20), normal(20, 2)
    v = 0.5 * v / v.norm(dim=1, keepdim=True)
    paths = geometry.exp(sphere, z, v, n_steps=50)
    scale = torch.stack([z[:, 1].cos(), torch.ones(20).double()], 1)
    speed = (v * scale).norm(dim=1)
    for i in (10, 50):
        expected = speed * i / 50
        torch.testing.assert_close(great_circle(z, paths[:, i]), expected, rtol=1e-5, atol=0)
    plane = torch.linalg.cross(sphere(z), sphere(paths[:, 25]))
    assert (plane * sphere(paths[:, 50])).sum(1).abs().max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decode", "z", "w"),
    [
        (sphere, sphere_points(10), sphere_points(10, seed=1)),
        (torus, uniform(-1, 1, 10, 2), uniform(-1, 1, 10, 2, seed=1)),
        (pseudosphere, half_plane(10), half_plane(10, seed=1)),
    ],
)
@pytest.mark.parametrize("dtype", often([torch.float32, torch.float64], 1))
def test_exp_takes_log_back(decode, z, w, dtype):
    z, w = z.to(dtype), w.to(dtype)
    v = geometry.log(decode, z, w)
    assert v.dtype == dtype
    back = geometry.exp(decode, z, v)[:, -1]
    torch.testing.assert_close(back, w, rtol=0, atol=1e-3 if dtype == torch.float32 else 1e-7)
    # Its speed is the length, of which a path of many points knows nothing.
    speed = torch.func.jvp(decode, (z,), (v,))[1].norm(dim=1)
    if decode is sphere:
        torch.testing.assert_close(speed, great_circle(z, w), rtol=1e-3, atol=0)
    if decode is pseudosphere:
        torch.testing.assert_close(speed, half_plane_distance(z, w), rtol=1e-3, atol=0)


# Vectors carried along


@pytest.mark.slow
def test_a_vector_round_a_circle_of_latitude_comes_back_turned_by_the_cap_it_encloses():
    # By Gauss and Bonnet the turn is the area of the cap, here as seen from the equator.
    latitude = 0.6
    t = torch.linspace(0, 2 * math.pi, 401, dtype=torch.float64)
    path = torch.stack([t, torch.full_like(t, latitude)], 1)[None]
    vectors = geometry.transport(sphere, path, torch.tensor([[0.0, 2.0]]).double())[0]
    assert torch.equal(vectors[0], torch.tensor([0.0, 2.0]).double())
    east, north = vectors[:, 0] * math.cos(latitude), vectors[:, 1]
    torch.testing.assert_close(torch.hypot(east, north), torch.full_like(t, 2))
    expected = t * math.sin(latitude)
    turned = torch.atan2(east, north)
    torch.testing.assert_close(
        torch.stack([turned.cos(), turned.sin()]),
        torch.stack([expected.cos(), expected.sin()]),
        rtol=0,
        atol=1e-3,
    )


def test_transport_is_flat_on_a_bent_plane_whatever_the_coordinates():
    paths, v = uniform(-1, 1, 4, 2, 2), normal(4, 2)
    paths = torch.lerp(paths[:, :1], paths[:, 1:], LINE)
    vectors = geometry.transport(bent, paths, v)

    def pushed(z, v):
        return torch.func.jvp(bent, (z,), (v,))[1]

    before, after = (pushed(paths[:, t], vectors[:, t]) for t in (0, -1))
    torch.testing.assert_close(after, before)


@pytest.mark.slow
def test_a_geodesic_carries_its_own_direction_and_keeps_angles():
    start, end = uniform(-1, 1, 5, 2), uniform(-1, 1, 5, 2, seed=1)
    paths = geometry.geodesic(torus, start, end, n_points=200, tolerance=1e-10).paths
    along = [
        geometry.transport(torus, paths, v) for v in (paths[:, 1] - paths[:, 0], normal(5, 2))
    ]
    last = paths[:, -1] - paths[:, -2]
    torch.testing.assert_close(along[0][:, -1], last, rtol=2e-2, atol=1e-4)
    products = [
        torch.einsum(
            "bi,bij,bj->b", along[0][:, t], geometry.metric(torus, paths[:, t]), along[1][:, t]
        )
        for t in (0, 100, -1)
    ]
    torch.testing.assert_close(products[1], products[0])
    torch.testing.assert_close(products[2], products[0])


def test_transport_through_a_decoder_of_relu_keeps_lengths_and_comes_back():
    decode = relu_decoder(dtype=torch.float64)
    paths = torch.lerp(normal(4, 1, 3), normal(4, 1, 3, seed=1), LINE)
    v = normal(4, 3, seed=2)
    there = geometry.transport(decode, paths, v)
    sizes = [
        (there[:, t, None] @ geometry.metric(decode, paths[:, t]) @ there[:, t, :, None]).flatten()
        for t in (0, 15, -1)
    ]
    torch.testing.assert_close(sizes[1], sizes[0])
    torch.testing.assert_close(sizes[2], sizes[0])
    back = geometry.transport(decode, paths.flip(1), there[:, -1])
    torch.testing.assert_close(back[:, -1], v)


def test_transport_leaves_out_what_the_decoder_ignores():
    path = torch.cat([sphere_points(4), normal(4, 1)], 1)[None]
    vectors = geometry.transport(lambda z: sphere(z[:, :2]), path, normal(1, 3))
    plain = geometry.transport(sphere, path[..., :2], normal(1, 3)[:, :2])
    torch.testing.assert_close(vectors[..., :2], plain)
    assert (vectors[0, 1:, 2] == 0).all()


# What does not change


@pytest.mark.slow
def test_other_coordinates_change_neither_lengths_nor_geodesics_nor_curvature():
    weight = torch.tensor([[2.0, 0.5], [-0.3, 0.7]]).double()

    def other(z):
        return z @ weight + 0.1 * torch.stack([z[:, 1].sin(), z[:, 0].cos()], 1)

    def decode(z):
        return torus(other(z))

    start, end = uniform(-1, 1, 5, 2), uniform(-1, 1, 5, 2, seed=1)
    ours = geometry.geodesic(decode, start, end, tolerance=1e-10)
    theirs = geometry.geodesic(torus, other(start), other(end), tolerance=1e-10)
    torch.testing.assert_close(ours.lengths, theirs.lengths, rtol=1e-6, atol=0)
    moved = other(ours.paths.flatten(0, 1)).unflatten(0, (5, 32))
    torch.testing.assert_close(moved, theirs.paths, rtol=0, atol=1e-3)
    u, v = normal(5, 2), normal(5, 2, seed=1)
    along = [torch.func.jvp(other, (start,), (t,))[1] for t in (u, v)]
    torch.testing.assert_close(
        geometry.curvature(decode, start, u, v), geometry.curvature(torus, other(start), *along)
    )
    stretch = torch.func.vmap(torch.func.jacfwd(lambda z: other(z[None])[0]))(start).det().abs()
    torch.testing.assert_close(
        geometry.volume(decode, start), geometry.volume(torus, other(start)) * stretch
    )


def test_the_metric_of_an_ensemble_side_by_side_is_its_mean():
    members = [relu_decoder(seed, torch.float64) for seed in range(3)]

    def ensemble(z):
        return torch.stack([decode(z) for decode in members], 1) / math.sqrt(3)

    z = normal(20, 3)
    mean = torch.stack([geometry.metric(decode, z) for decode in members]).mean(0)
    torch.testing.assert_close(geometry.metric(ensemble, z), mean)


@pytest.mark.slow
def test_float32_gives_what_float64_gives():
    start, end = sphere_points(6), sphere_points(6, seed=1)
    for call in (
        lambda z, w: geometry.metric(torus, z),
        lambda z, w: geometry.volume(torus, z),
        lambda z, w: geometry.geodesic(torus, z, w).lengths,
        lambda z, w: geometry.exp(torus, z, w - z),
        lambda z, w: geometry.curvature(torus, z, w, w.flip(1)),
    ):
        single = call(start.float(), end.float())
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), call(start, end), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_codes_beyond_one_chunk_are_those_within():
    z, v = uniform(-1, 1, 1_500, 2), normal(1_500, 2)
    for call in (
        lambda z, v: geometry.metric(torus, z),
        lambda z, v: geometry.exp(torus, z, 0.1 * v, 2),
        lambda z, v: geometry.curvature(torus, z, v, v.flip(1)),
    ):
        torch.testing.assert_close(call(z, v)[1_490:], call(z[1_490:], v[1_490:]))


# Decoders with kinks


@pytest.mark.slow
def test_geodesics_of_a_relu_decoder_are_as_short_as_after_a_long_run_of_adam():
    # Its small steps get round kinks at which Gauss-Newton's rest: of six paths some may stay
    # longer by half a per cent, but not most of them.
    decode = relu_decoder(dtype=torch.float64)
    start, end = normal(6, 3), normal(6, 3, seed=1)
    found = geometry.geodesic(decode, start, end)
    lines = torch.lerp(start[:, None], end[:, None], LINE)
    inner = lines[:, 1:-1].clone().requires_grad_()
    adam = torch.optim.Adam([inner], lr=0.01)
    for i in range(3_000):
        adam.param_groups[0]["lr"] = 0.01 * (1 - i / 3_000)
        images = decode(torch.cat([lines[:, :1], inner, lines[:, -1:]], 1).flatten(0, 1))
        loss = images.reshape(6, 32, -1).diff(dim=1).square().sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    reached = torch.cat([lines[:, :1], inner.detach(), lines[:, -1:]], 1)
    ratio = found.lengths / geometry.length(decode, reached)
    assert ratio.median() < 1.002
    assert ratio.max() < 1.01
    assert (geometry.length(decode, lines) / geometry.length(decode, reached)).median() > 1.01


@pytest.mark.slow
def test_exp_and_log_refuse_a_decoder_with_kinks():
    decode = relu_decoder(dtype=torch.float64)
    z, w = normal(4, 3), normal(4, 3, seed=1)
    # A sigmoid has second derivatives, but hides no kink.
    for kinked in (decode, nn.Sequential(decode, nn.Sigmoid())):
        with pytest.raises(ValueError, match=r"v must lead along geodesics: in row .* be smooth"):
            geometry.exp(kinked, z, w - z)
        with pytest.raises(ValueError, match=r"w must lead along geodesics: in row .* be smooth"):
            geometry.log(kinked, z, w)


def test_a_path_that_took_too_few_steps_says_so():
    start, end = sphere_points(5), -sphere_points(5)
    found = geometry.geodesic(sphere, start, end, n_steps=1, tolerance=1e-12)
    assert not found.converged.any()
    lines = torch.lerp(start[:, None], end[:, None], LINE)
    assert (found.lengths <= geometry.length(sphere, lines)).all()


# What is no geometry


@pytest.mark.slow
def test_equal_ends_stay_where_they_are():
    z = sphere_points(3)
    found = geometry.geodesic(sphere, z, z)
    assert torch.equal(found.paths, z[:, None].expand(3, 32, 2))
    assert (found.lengths == 0).all()
    assert found.converged.all()
    assert (geometry.log(sphere, z, z) == 0).all()


def test_a_decoder_that_ignores_its_codes_has_no_lengths_and_no_trouble():
    def constant(z):
        return torch.ones(len(z), 5).to(z) + 0 * z[:, :1]

    z, w = normal(3, 2), normal(3, 2, seed=1)
    assert (geometry.metric(constant, z) == 0).all()
    assert (geometry.volume(constant, z) == 0).all()
    found = geometry.geodesic(constant, z, w)
    assert (found.lengths == 0).all()
    assert found.converged.all()


def test_a_latent_that_the_decoder_ignores_is_left_alone():
    def decode(z):
        return sphere(z[:, :2])

    ends = torch.cat([sphere_points(4), normal(4, 1)], 1)
    others = torch.cat([sphere_points(4, seed=1), normal(4, 1, seed=1)], 1)
    found = geometry.geodesic(decode, ends, others, tolerance=1e-8)
    expected = great_circle(ends[:, :2], others[:, :2])
    torch.testing.assert_close(found.lengths, expected, rtol=1e-3, atol=0)
    third = torch.lerp(ends[:, None, 2], others[:, None, 2], LINE[:, 0])
    torch.testing.assert_close(found.paths[..., 2], third)
    assert (geometry.volume(decode, ends) < 1e-7).all()


def test_graphs_are_left_behind():
    model = relu_decoder().requires_grad_()
    z, w = normal(3, 3).float().requires_grad_(), normal(3, 3, seed=1).float().requires_grad_()
    for answer in (
        geometry.metric(model, z),
        geometry.length(model, torch.stack([z, w], 1)),
        *geometry.geodesic(model, z, w, n_points=5),
    ):
        assert not answer.requires_grad
    assert model[0].weight.grad is None


@pytest.mark.parametrize("part", [nn.Dropout(0.3), nn.BatchNorm1d(40)])
def test_a_model_in_training_mode_is_refused(part):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 40), part, nn.Linear(40, 9))
    z = normal(6, 2).float()
    with pytest.raises(ValueError, match=r"decode must .*Call eval\(\) first"):
        geometry.metric(model.train(), z)
    assert geometry.metric(model.eval(), z).shape == (6, 2, 2)


@pytest.mark.slow
def test_what_makes_no_sense_is_refused_by_name():
    z, w = normal(3, 2), normal(3, 2, seed=1)
    paths = normal(3, 4, 2)
    for call, message in (
        (lambda: geometry.metric(None, z), "decode must map codes to images, got None"),
        (lambda: geometry.metric(torus, z[0]), r"z must be a float tensor \[N, D\]"),
        (lambda: geometry.metric(torus, z * math.nan), "z must be finite"),
        (lambda: geometry.metric(lambda z: z[:1], z), r"2 codes to images \[2, \.\.\.\]"),
        (lambda: geometry.metric(lambda z: z.sum(1), z), "2 codes to images"),
        (lambda: geometry.metric(lambda z: z / 0, z), r"decode\(z\) must be finite"),
        (lambda: geometry.length(torus, paths[0]), r"paths must be a float tensor \[B, n, D\]"),
        (lambda: geometry.length(torus, paths[:, :1]), "paths must have at least 2 points each"),
        (lambda: geometry.length(torus, paths, 0), "pieces must be a whole number, 1 or more"),
        (lambda: geometry.energy(torus, paths / 0), "paths must be finite"),
        (lambda: geometry.geodesic(torus, z, w[:2]), r"end must be a float tensor \[3, 2\]"),
        (lambda: geometry.geodesic(torus, z, w.float()), "start and end must be of one dtype"),
        (lambda: geometry.geodesic(torus, z, w, n_points=2), "n_points must be .* 3 or more"),
        (lambda: geometry.geodesic(torus, z, w, tolerance=0), "tolerance must be a finite"),
        (lambda: geometry.geodesic(torus, z, w, n_steps=0), "n_steps must be a whole number"),
        (
            lambda: geometry.geodesic(torus, z, w, 4, initial=paths),
            "initial must begin at start and end at end",
        ),
        (
            lambda: geometry.geodesic(torus, z, w, 5, initial=paths),
            r"initial must be a float tensor \[3, 5, 2\]",
        ),
        (lambda: geometry.transport(torus, paths, w[:2]), r"v must be a float tensor \[3, 2\]"),
        (lambda: geometry.transport(torus, paths[:, :1], w), "paths must have at least 2 points"),
        (lambda: geometry.transport(torus, paths, w.float()), "paths and v must be of one dtype"),
        (lambda: geometry.exp(torus, z, w[:, :1]), r"v must be a float tensor \[3, 2\]"),
        (lambda: geometry.exp(torus, z, w, 0), "n_steps must be a whole number"),
        (lambda: geometry.exp(sphere, z, 1e6 * w), "v must lead along geodesics: in row"),
        (lambda: geometry.log(torus, z, w * math.inf), "w must be finite"),
        (lambda: geometry.curvature(torus, z, w, -2 * w), "u and v must span a plane"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
