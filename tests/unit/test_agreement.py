"""Agreement against closed forms, SciPy, scikit-learn, all permutations and quadrature."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.neighbors import NearestNeighbors

from vaebook import datasets
from vaebook.measures import agreement
from vaebook.models import Codes

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def codes(n, d, seed=0):
    draws = generator(seed)
    mix = torch.randn(d, d, generator=draws, dtype=torch.float64)
    return torch.randn(n, d, generator=draws, dtype=torch.float64) @ mix / math.sqrt(d) + 0.7


# ---------------------------------------------------------------------------------------------
# Latent spaces


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), d=st.integers(1, 6), more=st.integers(0, 3))
def test_a_space_turned_mirrored_scaled_moved_and_padded_is_the_same_space(seed, d, more):
    a = codes(40, d, seed)
    turn = torch.linalg.qr(codes(d + more, d + more, seed + 1))[0][:d]
    found = agreement.compare(a, 3 * a @ turn - 5, n_neighbors=5)
    assert found == pytest.approx((1, 1, 1, 1), abs=1e-9)


def test_scores_of_a_stretched_plane_are_those_computed_by_hand():
    # B is A with its second axis, uncorrelated with the first, stretched by s.
    x = torch.linspace(-1, 1, 21, dtype=torch.float64)
    a = torch.cartesian_prod(x, x)
    s = 3.0
    found = agreement.compare(a, a * torch.tensor([1.0, s]), n_neighbors=5)
    assert found.cka == pytest.approx((1 + s**2) / math.sqrt(2 * (1 + s**4)))
    assert found.procrustes == pytest.approx((1 + s) / math.sqrt(2 * (1 + s**2)))
    assert 0 < found.distances < 1
    assert 0 < found.neighbors < 1


def test_each_score_is_what_other_libraries_say():
    a = codes(60, 3)
    b = torch.cat([a[:, :2] ** 3, codes(60, 3, seed=1)], dim=1)
    found = agreement.compare(a, b, n_neighbors=7)
    expected = scipy.stats.spearmanr(
        scipy.spatial.distance.pdist(a), scipy.spatial.distance.pdist(b)
    )
    assert found.distances == pytest.approx(expected.statistic)
    padded = torch.cat([a, torch.zeros(60, 2)], dim=1)
    _, _, disparity = scipy.spatial.procrustes(padded.numpy(), b.numpy())
    assert 1 - found.procrustes**2 == pytest.approx(disparity)
    # CKA by the kernels, as its authors define it.
    k, m = ((z - z.mean(0)) @ (z - z.mean(0)).T for z in (a, b))
    assert found.cka == pytest.approx(((k * m).sum() / (k.norm() * m.norm())).item())
    one, two = (
        NearestNeighbors(n_neighbors=7).fit(z).kneighbors(return_distance=False)
        for z in (a.numpy(), b.numpy())
    )
    common = np.mean([len({*i} & {*j}) / 7 for i, j in zip(one, two, strict=True)])
    assert found.neighbors == pytest.approx(common)


def test_unrelated_spaces_share_no_more_than_chance():
    found = agreement.compare(codes(2_000, 3), codes(2_000, 4, seed=1), generator=generator())
    # Chance is 10 / 1,999; 20,000 neighbours vary by less than 0.0005.
    assert found.neighbors == pytest.approx(0.005, abs=SIGMAS * 0.0005)
    assert found.distances == pytest.approx(0, abs=0.05)
    assert found.cka < 0.01
    assert found.procrustes < 0.1


@pytest.mark.slow
def test_many_images_are_compared_by_random_pairs_that_agree_with_all_of_them():
    a = codes(1_500, 3)
    b = a + 0.5 * codes(1_500, 3, seed=1)
    found = agreement.compare(a, b, generator=generator())
    expected = scipy.stats.spearmanr(
        scipy.spatial.distance.pdist(a), scipy.spatial.distance.pdist(b)
    )
    assert found.distances == pytest.approx(expected.statistic, abs=SIGMAS * 0.0032)
    assert agreement.compare(a, b, generator=generator()) == found


def test_codes_are_compared_by_their_means_and_autoencoders_too():
    a, b = codes(50, 3), codes(50, 2, seed=1)
    labels = torch.arange(50) % 3
    expected = agreement.compare(a, b)
    assert agreement.compare(Codes(a, -torch.ones_like(a), labels), Codes(b)) == expected
    rows = torch.arange(50).flip(0)
    aligned = agreement.compare(Codes(a)[rows], Codes(b[rows], None, labels))
    assert aligned == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (codes(30, 3), codes(29, 3), {}, r"the same images row by row, got 30 and 29: index them"),
        (codes(30, 3), codes(30, 3).long(), {}, r"b must be a float tensor .* got int64"),
        (codes(30, 3) * math.nan, codes(30, 3), {}, "a must be finite"),
        (codes(2, 3), codes(2, 3), {"n_neighbors": 1}, "a must have at least 3 rows"),
        (codes(30, 3), torch.ones(30, 2), {}, "b has equal distances only"),
        (
            codes(30, 3),
            codes(30, 3).to("meta"),
            {},
            "must hold values, got a tensor on the device meta",
        ),
        (codes(30, 3), (codes(30, 3), None), {}, r"b must be a float tensor .* got tuple"),
        (codes(30, 3), codes(30, 3), {"n_neighbors": 30}, "less than the 30 images, got 30"),
        (codes(30, 3), codes(30, 3), {"n_neighbors": 0}, "n_neighbors must be a whole number"),
        (codes(900, 3), codes(900, 3), {"generator": 0}, r"generator must be a torch\.Generator"),
        (
            Codes(codes(30, 3), None, torch.arange(30)),
            Codes(codes(30, 3), None, torch.arange(30).roll(1)),
            {},
            "their labels differ in 30 rows, 0 the first",
        ),
    ],
)
def test_spaces_that_cannot_be_compared_are_refused(a, b, options, message):
    with pytest.raises(ValueError, match=message):
        agreement.compare(a, b, **options)


# ---------------------------------------------------------------------------------------------
# Features


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), m=st.integers(8, 40))
def test_frechet_distance_is_that_of_the_matrix_root(seed, n, m):
    # n down to 2 in five dimensions: singular covariances too, on one side.
    a, b = codes(n, 5, seed), codes(m, 5, seed + 1)
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(cov_b).real
    values = np.linalg.eigvalsh(root @ cov_a @ root).clip(0)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum().item()
    expected += np.trace(cov_a + cov_b) - 2 * np.sqrt(values).sum()
    assert agreement.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_a_shift_and_a_stretch_is_known():
    a = codes(500, 3)
    shift = torch.tensor([3.0, 0.0, -4.0]).double()
    assert agreement.frechet_distance(a, a + shift) == pytest.approx(25, rel=1e-10)
    # In one dimension: (difference of means)^2 + (difference of standard deviations)^2.
    x = a[:, :1]
    expected = x.mean().item() ** 2 + x.std().item() ** 2
    assert agreement.frechet_distance(x, 2 * x) == pytest.approx(expected, rel=1e-10)


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), n=st.integers(2, 300), d=st.integers(1, 12))
def test_frechet_distance_of_a_set_from_itself_is_zero(seed, n, d):
    a = codes(n, d, seed)
    assert agreement.frechet_distance(a, a) == 0
    assert agreement.frechet_distance(a, a.flip(0)) == 0
    assert agreement.frechet_distance(a, a + 1e-4) > 0


def test_frechet_distance_refuses_what_it_cannot_take():
    with pytest.raises(ValueError, match=r"b must be .* \[M, 3\], got float32 of shape \[5, 2\]"):
        agreement.frechet_distance(torch.zeros(5, 3), torch.zeros(5, 2))
    with pytest.raises(ValueError, match=r"a must have at least 2 rows, got \[1, 3\]"):
        agreement.frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"b must be finite, got inf at \[0, 0\]"):
        agreement.frechet_distance(torch.zeros(5, 3), torch.tensor([[math.inf] * 3, [0.0] * 3]))
    with pytest.raises(ValueError, match=r"a must be a float tensor .* got int64"):
        agreement.frechet_distance(torch.zeros(5, 3).long(), torch.zeros(5, 3))
    with pytest.raises(ValueError, match="must hold values"):
        agreement.frechet_distance(torch.zeros(5, 3), torch.zeros(5, 3, device="meta"))


# Distance matrices and dimensions


def distances(seed, c=6):
    points = torch.randn(c, 3, generator=torch.Generator().manual_seed(seed)).double()
    return torch.cdist(points, points)


@pytest.mark.slow
def test_mantel_p_is_the_share_of_all_renamings_that_agree_as_well():
    a = distances(0)
    b = a + 0.7 * distances(1)
    i, j = np.triu_indices(6, 1)
    r = [
        scipy.stats.pearsonr(a[i, j], b[list(names)][:, list(names)][i, j]).statistic
        for names in itertools.permutations(range(6))
    ]
    share = np.mean(np.array(r) >= r[0] - 1e-12)
    assert 0.001 < share < 0.2
    result = agreement.mantel(a, b, 20_000, torch.Generator().manual_seed(0))
    assert result.correlation == pytest.approx(r[0], rel=1e-12)
    assert abs(result.p_value - share) < SIGMAS * math.sqrt(share * (1 - share) / 20_000) + 1e-4


def test_mantel_of_ranks_is_spearman():
    a, b = distances(0), distances(1)
    i, j = np.triu_indices(6, 1)
    ranks = [torch.from_numpy(scipy.stats.rankdata(d).reshape(6, 6)) for d in (a, b)]
    expected = scipy.stats.spearmanr(a[i, j], b[i, j]).statistic
    assert agreement.mantel(*ranks, 1).correlation == pytest.approx(expected, rel=1e-12)


def test_mantel_does_not_depend_on_how_the_renamings_are_cut(monkeypatch):
    whole = agreement.mantel(distances(0), distances(1), 200, generator())
    monkeypatch.setattr(agreement, "_TABLE", 40)
    assert agreement.mantel(distances(0), distances(1), 200, generator()) == whole


def test_mantel_p_is_never_smaller_than_the_permutations_can_show():
    # 9 of 10! renamings: all but surely none of them is the identity.
    a = distances(0, 10)
    assert agreement.mantel(a, a, 9, torch.Generator().manual_seed(0)).p_value == 0.1


def test_mantel_counts_ties_so_that_three_objects_prove_nothing():
    # Of the six renamings of an isosceles triangle two leave it as it is.
    triangle = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 0.0]])
    result = agreement.mantel(triangle, triangle, 5_000, torch.Generator().manual_seed(0))
    assert result.correlation == pytest.approx(1)
    assert result.p_value == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.slow
def test_mantel_rejects_unrelated_distances_as_often_as_it_should():
    generator = torch.Generator().manual_seed(0)
    p = [
        agreement.mantel(distances(k), distances(1_000 + k), 99, generator)[1] for k in range(400)
    ]
    # 5 % of 400 is 20, give or take 4.4.
    assert abs(sum(x <= 0.05 for x in p) - 20) < SIGMAS * 4.4


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (torch.zeros(4, 3), torch.zeros(4, 3), r"a must be a float tensor \[C, C\]"),
        (distances(0, 2), distances(1, 2), r"a must have at least 3 rows, got \[2, 2\]"),
        (
            distances(0, 4),
            distances(0, 5),
            r"b must be .* \[4, 4\], got float64 of shape \[5, 5\]",
        ),
        (distances(0), torch.ones(6, 6) - torch.eye(6), "b has equal distances only"),
        (distances(0).triu(), distances(0), "a must be symmetric"),
        (distances(0), 1e-12 * distances(0).triu(), "b must be symmetric"),
        (distances(0), distances(0) * math.nan, "b must be finite"),
        (-distances(0), distances(0), "a must hold distances, none negative, got -"),
        (distances(0).long(), distances(0), "a must be a float tensor .* got int64"),
        (
            distances(0),
            distances(0).to("meta"),
            "must hold values, got a tensor on the device meta",
        ),
    ],
)
def test_mantel_refuses_what_it_cannot_take(a, b, message):
    with pytest.raises(ValueError, match=message):
        agreement.mantel(a, b)


@given(seed=st.integers(0, 10_000), d=st.integers(1, 6))
def test_matching_is_the_best_of_all_permutations(seed, d):
    a, b = codes(30, d, seed), codes(30, d, seed + 1)
    table = np.corrcoef(a.numpy().T, b.numpy().T)[:d, d:]
    best = max(np.abs(table[range(d), list(p)]).sum() for p in itertools.permutations(range(d)))
    match = agreement.match_dimensions(a, b)
    assert match.correlations.abs().sum().item() == pytest.approx(best, rel=1e-9)
    np.testing.assert_allclose(match.correlations, table[range(d), match.permutation], atol=1e-12)


@pytest.mark.slow
def test_matching_undoes_a_shuffle_and_signs_and_leaves_the_constant_dimension():
    a = codes(200, 4)
    a[:, 2] = 0.1
    shuffle, signs = torch.tensor([2, 0, 3, 1]), torch.tensor([1.0, -1.0, 1.0, -1.0]).double()
    match = agreement.match_dimensions(a, a[:, shuffle] * signs)
    torch.testing.assert_close((a[:, shuffle] * signs)[:, match.permutation] * match.signs, a)
    assert match.correlations[2] == 0
    assert match.signs[2] == 1


@pytest.mark.slow
def test_matching_does_not_look_at_the_units():
    a, b = codes(50, 3), codes(50, 3, seed=1)
    expected = agreement.match_dimensions(a, b)
    found = agreement.match_dimensions(1e-20 * a, 1e8 * b)
    torch.testing.assert_close(found.correlations, expected.correlations)


def test_matching_refuses_runs_that_do_not_fit():
    with pytest.raises(ValueError, match=r"b must be .* \[5, 3\], got float32 of shape \[4, 3\]"):
        agreement.match_dimensions(torch.zeros(5, 3), torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"a must be finite, got nan at \[1, 0\]"):
        agreement.match_dimensions(torch.tensor([[0.0], [math.nan]]), torch.zeros(2, 1))
    with pytest.raises(ValueError, match=r"a must be a float tensor .* got int64"):
        agreement.match_dimensions(torch.eye(3).long(), torch.eye(3))
    with pytest.raises(ValueError, match="a must have at least 2 rows"):
        agreement.match_dimensions(torch.zeros(1, 3), torch.zeros(1, 3))


# ---------------------------------------------------------------------------------------------
# Shapes


def test_the_distance_of_shapes_ignores_shifts_turns_mirrors_and_brightness():
    draws = torch.rand(3, 20, generator=generator())
    var_x, var_y, corr = 0.1 + 0.2 * draws[0], 0.1 + 0.2 * draws[1], 1.4 * draws[2] - 0.7
    images = datasets.heatmap_images(var_x, var_y, corr)
    for moved in (
        images.roll((4, -3), (2, 3)),
        images.rot90(1, (2, 3)),
        images.flip(3),
        0.3 * images,
    ):
        assert agreement.shape_distance(images, moved).max() < 1e-2
    for degrees in (10, 33):
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turn = torch.tensor([[cos, -sin], [sin, cos]])
        cross = corr * (var_x * var_y).sqrt()
        covariance = torch.stack([var_x, cross, cross, var_y], dim=1).view(-1, 2, 2)
        covariance = turn @ covariance @ turn.T
        s1, s2 = covariance[:, 0, 0], covariance[:, 1, 1]
        turned = datasets.heatmap_images(s1, s2, covariance[:, 0, 1] / (s1 * s2).sqrt())
        assert agreement.shape_distance(images, turned).max() < 0.01
        assert (images - turned).flatten(1).norm(dim=1).median() > 0.1


def test_the_distance_of_shapes_is_that_of_the_half_axes():
    # On a fine grid an uncut heatmap has the covariance of its density.
    var = torch.tensor([0.1, 0.2]), torch.tensor([0.3, 0.2]), torch.tensor([0.5, -0.7])
    images = datasets.heatmap_images(*var, size=141)
    axes = []
    for s1, s2, rho in zip(*(v.double().numpy() for v in var), strict=True):
        cross = rho * np.sqrt(s1 * s2)
        axes.append(np.sqrt(np.linalg.eigvalsh([[s1, cross], [cross, s2]])) * 140 / 6)
    found = agreement.shape_distance(images[:1], images[1:]).item()
    assert found == pytest.approx(np.linalg.norm(axes[0] - axes[1]), rel=1e-3)


def wasserstein(one, two):
    """The Wasserstein-2 distance of two small images as densities, by linear programming."""
    n = one.size
    pixels = np.stack(np.indices(one.shape), -1).reshape(-1, 2)
    cost = ((pixels[:, None] - pixels[None]) ** 2).sum(-1).ravel()
    rows = np.kron(np.eye(n), np.ones(n))
    columns = np.kron(np.ones(n), np.eye(n))
    masses = np.concatenate([one.ravel() / one.sum(), two.ravel() / two.sum()])
    return math.sqrt(optimize.linprog(cost, A_eq=np.vstack([rows, columns]), b_eq=masses).fun)


def test_the_distance_of_shapes_is_below_that_of_transport():
    images = torch.rand(12, 1, 5, 5, generator=generator(), dtype=torch.float64) ** 3
    found = agreement.shape_distance(images[:6], images[6:])
    for one, two, distance in zip(images[:6], images[6:], found, strict=True):
        assert distance.item() <= wasserstein(one[0].numpy(), two[0].numpy()) + 1e-7


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((1, 1, 3, 3), -0.1), r"images must be non-negative, got a pixel of -0\.1"),
        (torch.full((1, 1, 3, 3), math.nan), "images must be finite"),
        (torch.ones(1, 1, 3, 3).long(), r"images must be a float tensor .* got int64"),
        (torch.zeros(1, 1, 3, 3), "images must each have a pixel above 0"),
        (torch.ones(2, 1, 3, 3), r"others must be a float tensor \[2, 1, 3, 3\]"),
    ],
)
def test_the_distance_of_shapes_refuses_what_is_no_density(images, message):
    with pytest.raises(ValueError, match=message):
        agreement.shape_distance(images, torch.ones(1, 1, 3, 3))


# ---------------------------------------------------------------------------------------------
# Sets


def test_the_discrepancy_is_its_definition():
    a, b = torch.randn(7, 2, generator=generator()), torch.randn(5, 2, generator=generator(1)) + 1
    pooled = torch.cat([a, b]).double().numpy()
    distance = np.linalg.norm(pooled[:, None] - pooled[None], axis=-1)
    width = np.sort(distance[np.triu_indices(12, 1)])[32]  # the lower median of 66
    k = np.exp(-(distance**2) / (2 * width**2))
    in_a = np.mean([k[i, j] for i in range(7) for j in range(7) if i != j])
    in_b = np.mean([k[i, j] for i in range(7, 12) for j in range(7, 12) if i != j])
    across = k[:7, 7:].mean()
    found = agreement.two_sample_test(a, b, 10, generator())
    assert found.mmd2 == pytest.approx(in_a + in_b - 2 * across, abs=1e-10)


@pytest.mark.slow
def test_the_two_sample_test_keeps_its_level():
    draws = generator()
    values = []
    for _ in range(400):
        a, b = (torch.randn(n, 3, generator=draws) for n in (20, 30))
        values.append(agreement.two_sample_test(a, b, 99, draws).p_value)
    # Under the null p is uniform on 1/100, ..., 1: a false alarm in 1,000 runs each.
    rejected = sum(p <= 0.05 for p in values)
    assert stats.binomtest(rejected, 400, 0.05).pvalue > 1e-3
    assert stats.kstest(np.array(values) - 0.005, "uniform").pvalue > 1e-3


def test_the_two_sample_test_has_power():
    draws = generator()
    a = torch.randn(100, 3, generator=draws)
    assert agreement.two_sample_test(a, torch.randn(100, 3, generator=draws) + 0.6).p_value < 0.01
    assert agreement.two_sample_test(a, 1.8 * torch.randn(100, 3, generator=draws)).p_value < 0.01


def test_equal_sets_are_not_told_apart():
    a = torch.randn(30, 1, 4, 4, generator=generator())
    found = agreement.two_sample_test(a, a.clone(), 99, generator())
    assert found.p_value > 0.9
    assert agreement.two_sample_test(torch.ones(4, 2), torch.ones(5, 2)).p_value == 1


@pytest.mark.parametrize(
    ("a", "b", "n_permutations", "message"),
    [
        (torch.zeros(1, 2), torch.zeros(3, 2), 9, r"a must have at least 2 rows, got \[1, 2\]"),
        (torch.zeros(3), torch.zeros(3), 9, r"a must be a float tensor \[N, ...\]"),
        (torch.zeros(3, 2).long(), torch.zeros(3, 2), 9, r"a must be a float tensor .* got int64"),
        (torch.zeros(3, 2), torch.zeros(3, 1), 9, r"b must be a float tensor \[M, 2\]"),
        (torch.full((3, 2), math.nan), torch.zeros(3, 2), 9, "a must be finite"),
        (torch.zeros(3, 2), torch.zeros(3, 2), 0, "n_permutations must be a whole number, 1 or"),
    ],
)
def test_the_two_sample_test_refuses_what_it_cannot_compare(a, b, n_permutations, message):
    with pytest.raises(ValueError, match=message):
        agreement.two_sample_test(a, b, n_permutations)
