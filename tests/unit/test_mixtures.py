"""The mixtures against quadrature, scipy, torch.distributions and Monte Carlo."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions as td

from vaebook.latent import mixtures
from vaebook.measures import agreement

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5


def codes(n, d, seed=0, spread=1.5, logvar=-1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=generator, dtype=dtype)
    mu = spread * torch.randn(n, d, generator=generator, dtype=dtype) @ mix / math.sqrt(d) + 0.7
    return mu, logvar + torch.randn(n, d, generator=generator, dtype=dtype)


def reference(mu, logvar):
    components = td.Independent(td.Normal(mu, (0.5 * logvar).exp()), 1)
    return td.MixtureSameFamily(td.Categorical(torch.ones(len(mu), dtype=mu.dtype)), components)


def plane(extent=14.0, n=701):
    axis = torch.linspace(-extent, extent, n, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1), (axis[1] - axis[0]).item() ** 2


# Moments


def test_moments_are_those_of_the_density_by_quadrature_in_the_plane():
    mu, logvar = codes(9, 2)
    labels = torch.tensor([0, 1, 0, 1, 0, 0, 1, 1, 0])
    moments = mixtures.class_moments(mu, logvar, labels)
    z, cell = plane()
    for c, mean, covariance in zip(*moments, strict=True):
        weight = reference(mu[labels == c], logvar[labels == c]).log_prob(z).exp() * cell
        expected = weight @ z
        centred = z - expected
        torch.testing.assert_close(mean, expected, rtol=0, atol=1e-9)
        torch.testing.assert_close(
            covariance, (centred * weight[:, None]).T @ centred, rtol=0, atol=1e-8
        )


def test_moments_are_those_of_draws_in_twenty_dimensions():
    mu, logvar = codes(50, 20)
    moments = mixtures.class_moments(mu, logvar, torch.zeros(50, dtype=torch.long))
    torch.manual_seed(1)
    z = reference(mu, logvar).sample((20_000,)) - moments.means[0]
    covariance = z.T @ z / len(z)
    error = ((z.square().T @ z.square() / len(z) - covariance.square()) / len(z)).sqrt()
    assert (((covariance - moments.covariances[0]) / error).abs() < SIGMAS).all()
    assert ((z.mean(0) / z.std(0) * math.sqrt(len(z))).abs() < SIGMAS).all()


@given(
    seed=st.integers(0, 10_000),
    d=st.integers(1, 6),
    sizes=st.lists(st.integers(2, 9), min_size=1, max_size=5),
)
def test_law_of_total_covariance_holds_to_machine_precision(seed, d, sizes):
    mu, logvar = codes(sum(sizes), d, seed)
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    parts = mixtures.class_moments(mu, logvar, labels)
    whole = mixtures.class_moments(mu, logvar, torch.zeros_like(labels))
    share = torch.tensor(sizes, dtype=torch.float64) / sum(sizes)
    centred = parts.means - whole.means
    total = torch.einsum("c,cij->ij", share, parts.covariances)
    total += torch.einsum("c,ci,cj->ij", share, centred, centred)
    scale = total.diagonal().max().item()
    torch.testing.assert_close(share @ parts.means, whole.means[0], rtol=0, atol=1e-13 * scale)
    torch.testing.assert_close(total, whole.covariances[0], rtol=0, atol=1e-13 * scale)


def test_parts_are_the_mean_variance_and_the_covariance_of_the_means():
    mu, logvar = codes(40, 3)
    labels = torch.arange(40) % 4
    within, between = mixtures.covariance_parts(mu, logvar, labels)
    for c in range(4):
        rows = (labels == c).numpy()
        own = np.diag(np.exp(logvar.numpy()[rows]).mean(0))
        np.testing.assert_allclose(within[c], own, rtol=1e-14)
        np.testing.assert_allclose(between[c], np.cov(mu.numpy()[rows].T, bias=True), rtol=1e-12)
    covariances = mixtures.class_moments(mu, logvar, labels).covariances
    torch.testing.assert_close(within + between, covariances, rtol=1e-15, atol=0)


def test_moments_far_from_the_origin_keep_their_digits_in_float32():
    mu, logvar = codes(30_000, 4, dtype=torch.float32)
    mu += 1e4
    labels = torch.arange(30_000) % 3
    moments = mixtures.class_moments(mu, logvar, labels)
    assert moments.means.dtype == moments.covariances.dtype == torch.float32
    for c in range(3):
        rows = labels == c
        expected = np.cov(mu[rows].double().numpy().T, bias=True)
        expected += np.diag(logvar[rows].double().exp().mean(0).numpy())
        np.testing.assert_allclose(moments.covariances[c], expected, rtol=1e-6)


def test_classes_come_sorted_whatever_their_names_and_the_order_of_rows():
    mu, logvar = codes(12, 2)
    labels = torch.tensor([8, 3, -1] * 4)
    moments = mixtures.class_moments(mu, logvar, labels)
    assert moments.classes.tolist() == [-1, 3, 8]
    torch.testing.assert_close(moments.means[1], mu[labels == 3].mean(0))
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    shuffled = mixtures.class_moments(mu[order], logvar[order], labels[order])
    torch.testing.assert_close(shuffled.covariances, moments.covariances)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, v, y: (m, v, y[:-1]), r"labels must be one per row of mu, \[6\], got \[5\]"),
        (lambda m, v, y: (m, v, y[:, None]), r"labels must be one per row"),
        (lambda m, v, y: (m, v, y.double()), r"labels must be integers, got torch.float64"),
        (lambda m, v, y: (m, v[:, :1], y), r"mu and logvar must both be \[N,D\]"),
        (lambda m, v, y: (m[:0], v[:0], y[:0]), r"N and D at least 1, got \[0, 2\]"),
        (lambda m, v, y: (m, v, torch.tensor([0, 0, 0, 4, 4, 7])), r"classes \[7\] have one"),
        (lambda m, v, y: (m, v, y, torch.tensor([0, 1, 2])), r"\[2\] have no member"),
        (lambda m, v, y: (m, v, y, torch.tensor([0])), r"\[1\] are not among them"),
        (
            lambda m, v, y: (m.index_fill(0, torch.tensor([4]), math.nan), v, y),
            r"no finite moments in rows \[4\] \(classes \[1\]\)",
        ),
        (
            lambda m, v, y: (m, v.index_fill(0, torch.tensor([0, 5]), math.inf), y),
            r"no finite moments in rows \[0, 5\] \(classes \[0, 1\]\)",
        ),
        (
            lambda m, v, y: (m, v.index_fill(0, torch.tensor([2]), 800.0), y),
            r"no finite moments in rows \[2\]",
        ),
    ],
)
def test_moments_refuse_what_they_cannot_take_by_name(change, message):
    mu, logvar = codes(6, 2)
    with pytest.raises(ValueError, match=message):
        mixtures.class_moments(*change(mu, logvar, torch.tensor([0, 0, 0, 1, 1, 1])))


# Density


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 40),
    d=st.integers(1, 20),
    logvar=st.integers(-30, 4),
    shift=st.integers(-100, 100),
)
def test_log_density_is_that_of_torch_distributions(seed, n, d, logvar, shift):
    mu, spread = codes(n, d, seed, logvar=logvar)
    mu = mu + shift
    torch.manual_seed(seed)
    near = reference(mu, spread).sample((5,))
    z = torch.cat([near, near + 3.0])
    expected = reference(mu, spread).log_prob(z)
    torch.testing.assert_close(
        mixtures.log_density(z, mu, spread), expected, rtol=1e-10, atol=2e-7
    )


def test_log_density_loses_nothing_to_variances_far_below_the_distances():
    # Written out as squares, these forms differ by 1e-16 of 1e14: by a hundredth of a nat.
    mu = torch.tensor([[3.0], [-4.0]], dtype=torch.float64)
    logvar = torch.full_like(mu, -30.0)
    z = mu + torch.tensor([[2.0], [-1.0]], dtype=torch.float64) * math.exp(-15)
    expected = -0.5 * (torch.tensor([4.0, 1.0]).double() - 30 + math.log(2 * math.pi))
    torch.testing.assert_close(
        mixtures.log_density(z, mu, logvar), expected - math.log(2), rtol=0, atol=1e-7
    )


def test_density_integrates_to_one_over_the_plane():
    mu, logvar = codes(7, 2)
    z, cell = plane()
    total = mixtures.log_density(z, mu, logvar).exp().sum() * cell
    assert total.item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("logvar", [-1.0, -30.0], ids=["products", "differences"])
def test_log_density_does_not_depend_on_how_the_points_are_cut(monkeypatch, logvar):
    mu, logvar = codes(11, 3, logvar=logvar)
    z = codes(8, 3, seed=1)[0]
    whole = mixtures.log_density(z, mu, logvar)
    monkeypatch.setattr(mixtures, "_TABLE", 30)
    torch.testing.assert_close(mixtures.log_density(z, mu, logvar), whole, rtol=1e-13, atol=0)


def test_log_density_far_out_is_finite_and_its_gradient_right():
    mu, logvar = codes(6, 2)
    assert mixtures.log_density(torch.full((1, 2), 1e4).double(), mu, logvar).isfinite().all()
    z = codes(4, 2, seed=1)[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: mixtures.log_density(x, mu, logvar), z)


def test_log_density_refuses_points_by_row():
    mu, logvar = codes(6, 2)
    with pytest.raises(ValueError, match=r"z must be \[M,D\].*got \[4, 3\] and \[6, 2\]"):
        mixtures.log_density(torch.zeros(4, 3), mu, logvar)
    with pytest.raises(ValueError, match=r"z must be finite, not so in rows \[1\]"):
        mixtures.log_density(torch.tensor([[0.0, 0.0], [math.nan, 0.0]]), mu, logvar)
    with pytest.raises(ValueError, match=r"rows \[0, 1, 2, 3, 4\] and 1 more"):
        mixtures.log_density(torch.zeros(1, 2), mu * math.inf, logvar)


def test_log_posterior_is_bayes_rule_with_the_frequencies_as_prior():
    mu, logvar = codes(9, 2)
    labels = torch.tensor([5, 5, 2, 2, 2, 2, 2, 9, 9])
    z = codes(6, 2, seed=1)[0]
    density = np.array(
        [
            scipy.stats.multivariate_normal(m, np.diag(np.exp(v))).pdf(z.numpy())
            for m, v in zip(mu.numpy(), logvar.numpy(), strict=True)
        ]
    )
    joint = np.stack([density[labels.numpy() == c].sum(0) for c in (2, 5, 9)], 1)
    posterior = mixtures.log_posterior(z, mu, logvar, labels).exp()
    np.testing.assert_allclose(posterior, joint / joint.sum(1, keepdims=True), rtol=1e-9)


# Divergences


def line_of_points(n=40_001, extent=30.0):
    x = torch.linspace(-extent, extent, n, dtype=torch.float64)[:, None]
    return x, (x[1] - x[0]).item()


def test_mixture_kl_agrees_with_quadrature_and_is_not_symmetric():
    p, q = codes(4, 1), codes(6, 1, seed=5)
    x, step = line_of_points()
    log_p, log_q = (reference(*m).log_prob(x) for m in (p, q))
    forward = ((log_p - log_q) * log_p.exp()).sum().item() * step
    backward = ((log_q - log_p) * log_q.exp()).sum().item() * step
    assert abs(forward - backward) > 0.1
    generator = torch.Generator().manual_seed(0)
    for exact, estimate in (
        (forward, mixtures.mixture_kl(*p, *q, 40_000, generator)),
        (backward, mixtures.mixture_kl(*q, *p, 40_000, generator)),
    ):
        assert abs(estimate.value - exact) < SIGMAS * estimate.standard_error
        assert estimate.standard_error < 0.05 * exact
    assert mixtures.mixture_kl(*p, *p, 10).value == pytest.approx(0, abs=1e-12)


def test_standard_error_is_the_spread_of_repeated_estimates():
    p, q = codes(4, 2), codes(6, 2, seed=5)
    generator = torch.Generator().manual_seed(0)
    runs = [mixtures.mixture_kl(*p, *q, 300, generator) for _ in range(400)]
    spread = np.std([run.value for run in runs], ddof=1)
    # A standard deviation from 400 runs has an error of 3.5 %.
    assert np.mean([run.standard_error for run in runs]) == pytest.approx(spread, rel=0.16)


def test_information_and_marginal_kl_agree_with_quadrature():
    mu, logvar = codes(5, 1)
    x, step = line_of_points()
    log_q = reference(mu, logvar).log_prob(x)
    log_p = td.Normal(0.0, 1.0).log_prob(x[:, 0])
    log_each = td.Normal(mu[:, 0], (0.5 * logvar[:, 0]).exp()).log_prob(x)
    marginal = ((log_q - log_p) * log_q.exp()).sum().item() * step
    information = ((log_each - log_q[:, None]) * log_each.exp()).sum().item() * step / 5
    mean_kl = ((log_each - log_p[:, None]) * log_each.exp()).sum().item() * step / 5
    others = torch.stack(
        [reference(mu[keep], logvar[keep]).log_prob(x) for keep in ~torch.eye(5, dtype=bool)], 1
    )
    left_out = ((log_each - others) * log_each.exp()).sum().item() * step / 5

    result = mixtures.aggregate_information(mu, logvar, 40_000, torch.Generator().manual_seed(0))
    assert result.mean_kl == pytest.approx(mean_kl, abs=1e-9)
    assert mean_kl == pytest.approx(marginal + information, abs=1e-9)
    for exact, estimate in (
        (marginal, result.marginal_kl),
        (information, result.information),
        (left_out, result.information_left_out),
    ):
        assert abs(estimate.value - exact) < SIGMAS * estimate.standard_error
        assert estimate.standard_error < 0.03 * exact


def test_information_is_log_n_for_codes_apart_and_nothing_for_equal_ones():
    mu = 1e3 * torch.arange(16, dtype=torch.float64)[:, None]
    apart = mixtures.aggregate_information(mu, torch.zeros_like(mu))
    assert apart.information.value == pytest.approx(math.log(16), abs=1e-12)
    assert apart.information_left_out.value > 1e4
    equal = mixtures.aggregate_information(0 * mu, torch.zeros_like(mu))
    assert equal.information.value == pytest.approx(0, abs=1e-12)
    assert equal.information_left_out.value == pytest.approx(0, abs=1e-12)


def test_the_two_informations_enclose_that_of_the_population():
    # x ~ N(0, 1) and z|x ~ N(x, s^2): I = log(1 + 1/s^2) / 2.
    variance = 0.1
    exact = 0.5 * math.log(1 + 1 / variance)
    generator = torch.Generator().manual_seed(0)
    below, above = [], []
    for _ in range(300):
        mu = torch.randn(12, 1, generator=generator, dtype=torch.float64)
        logvar = torch.full_like(mu, math.log(variance))
        result = mixtures.aggregate_information(mu, logvar, 100, generator)
        below.append(result.information.value)
        above.append(result.information_left_out.value)
    assert np.mean(below) + SIGMAS * scipy.stats.sem(below) < exact
    assert np.mean(above) - SIGMAS * scipy.stats.sem(above) > exact


def test_too_few_to_estimate_from_is_refused():
    mu, logvar = codes(6, 2)
    with pytest.raises(ValueError, match=r"n_samples must be at least 2 .* got 1"):
        mixtures.mixture_kl(mu, logvar, mu, logvar, 1)
    with pytest.raises(ValueError, match=r"at least 2 encodings .* got 1"):
        mixtures.aggregate_information(mu[:1], logvar[:1])


# Distances


def test_bhattacharyya_is_minus_log_of_the_overlap_by_quadrature():
    mu, logvar = codes(12, 2, spread=0.8)
    _, means, covariances = mixtures.class_moments(mu, logvar, torch.arange(12) % 3)
    z, cell = plane()
    roots = torch.stack(
        [
            (0.5 * td.MultivariateNormal(m, s).log_prob(z)).exp()
            for m, s in zip(means, covariances, strict=True)
        ]
    )
    expected = -(roots @ roots.T * cell).log()
    distances = mixtures.bhattacharyya(means, covariances)
    assert expected.max() > 0.05
    torch.testing.assert_close(distances, expected, rtol=1e-8, atol=1e-9)


def test_bhattacharyya_does_not_see_an_affine_map_of_the_latent_space():
    mu, logvar = codes(200, 5)
    _, means, covariances = mixtures.class_moments(mu, logvar, torch.arange(200) % 10)
    change = torch.randn(5, 5, generator=torch.Generator().manual_seed(3)).double()
    moved = mixtures.bhattacharyya(means @ change.T + 2, change @ covariances @ change.T)
    distances = mixtures.bhattacharyya(means, covariances)
    torch.testing.assert_close(moved, distances, rtol=1e-9, atol=1e-11)
    assert torch.equal(distances, distances.T)
    assert (distances.diagonal() == 0).all()


def test_bhattacharyya_refuses_covariances_by_class():
    means, covariances = torch.zeros(3, 2), torch.eye(2).repeat(3, 1, 1)
    for bad in (torch.diag(torch.tensor([1.0, -1.0])), torch.tensor([[1.0, 0.5], [0.0, 1.0]])):
        wrong = covariances.clone()
        wrong[1] = bad
        with pytest.raises(ValueError, match=r"positive definite, not so for classes at \[1\]"):
            mixtures.bhattacharyya(means, wrong)
    with pytest.raises(ValueError, match=r"not finite for classes at \[2\]"):
        mixtures.bhattacharyya(means.index_fill(0, torch.tensor([2]), math.nan), covariances)
    with pytest.raises(ValueError, match=r"got \[3, 2\] and \[2, 2\]"):
        mixtures.bhattacharyya(means, torch.eye(2))


@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), m=st.integers(8, 40))
def test_frechet_distance_is_that_of_the_matrix_root(seed, n, m):
    # n down to 2 in five dimensions: singular covariances too, on one side.
    a, b = codes(n, 5, seed)[0], codes(m, 5, seed + 1)[0]
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(cov_b).real
    values = np.linalg.eigvalsh(root @ cov_a @ root).clip(0)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum().item()
    expected += np.trace(cov_a + cov_b) - 2 * np.sqrt(values).sum()
    assert agreement.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_a_shift_and_a_stretch_is_known():
    a = codes(500, 3)[0]
    shift = torch.tensor([3.0, 0.0, -4.0]).double()
    assert agreement.frechet_distance(a, a + shift) == pytest.approx(25, rel=1e-10)
    assert agreement.frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    # In one dimension: (difference of means)^2 + (difference of standard deviations)^2.
    x = a[:, :1]
    expected = x.mean().item() ** 2 + x.std().item() ** 2
    assert agreement.frechet_distance(x, 2 * x) == pytest.approx(expected, rel=1e-10)


def test_frechet_distance_refuses_what_it_cannot_take():
    with pytest.raises(ValueError, match=r"got \[5, 3\] and \[5, 2\]"):
        agreement.frechet_distance(torch.zeros(5, 3), torch.zeros(5, 2))
    with pytest.raises(ValueError, match="at least 2 rows"):
        agreement.frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"b must be finite, not so in rows \[0\]"):
        agreement.frechet_distance(torch.zeros(5, 3), torch.tensor([[math.inf] * 3, [0.0] * 3]))


# Comparing runs


def distances(seed, c=6):
    points = torch.randn(c, 3, generator=torch.Generator().manual_seed(seed)).double()
    return torch.cdist(points, points)


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


def test_mantel_rejects_unrelated_distances_as_often_as_it_should():
    generator = torch.Generator().manual_seed(0)
    p = [agreement.mantel(distances(k), distances(1_000 + k), 99, generator)[1] for k in range(400)]
    # 5 % of 400 is 20, give or take 4.4.
    assert abs(sum(x <= 0.05 for x in p) - 20) < SIGMAS * 4.4


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (torch.zeros(4, 3), torch.zeros(4, 3), r"\[C,C\] with C >= 3, got \[4, 3\]"),
        (distances(0, 2), distances(1, 2), "C >= 3"),
        (distances(0, 4), distances(0, 5), r"got \[4, 4\] and \[5, 5\]"),
        (distances(0), torch.ones(6, 6) - torch.eye(6), "b has equal distances only"),
        (distances(0).triu(), distances(0), "a must be finite and symmetric"),
        (distances(0), distances(0) * math.nan, "b must be finite and symmetric"),
    ],
)
def test_mantel_refuses_what_it_cannot_take(a, b, message):
    with pytest.raises(ValueError, match=message):
        agreement.mantel(a, b)


@given(seed=st.integers(0, 10_000), d=st.integers(1, 6))
def test_matching_is_the_best_of_all_permutations(seed, d):
    a, b = codes(30, d, seed)[0], codes(30, d, seed + 1)[0]
    table = np.corrcoef(a.numpy().T, b.numpy().T)[:d, d:]
    best = max(np.abs(table[range(d), list(p)]).sum() for p in itertools.permutations(range(d)))
    match = agreement.match_dimensions(a, b)
    assert match.correlations.abs().sum().item() == pytest.approx(best, rel=1e-9)
    np.testing.assert_allclose(match.correlations, table[range(d), match.permutation], atol=1e-12)


def test_matching_undoes_a_shuffle_and_signs_and_leaves_the_constant_dimension():
    a = codes(200, 4)[0]
    a[:, 2] = 0.1
    shuffle, signs = torch.tensor([2, 0, 3, 1]), torch.tensor([1.0, -1.0, 1.0, -1.0]).double()
    match = agreement.match_dimensions(a, a[:, shuffle] * signs)
    torch.testing.assert_close((a[:, shuffle] * signs)[:, match.permutation] * match.signs, a)
    assert match.correlations[2] == 0
    assert match.signs[2] == 1


def test_matching_refuses_runs_that_do_not_fit():
    with pytest.raises(ValueError, match=r"got \[5, 3\] and \[4, 3\]"):
        agreement.match_dimensions(torch.zeros(5, 3), torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"a must be finite, not so in rows \[1\]"):
        agreement.match_dimensions(torch.tensor([[0.0], [math.nan]]), torch.zeros(2, 1))
