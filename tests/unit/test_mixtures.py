"""The mixtures against quadrature, scipy, torch.distributions and Monte Carlo."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions as td

from vaebook.latent import mixtures
from vaebook.models import priors

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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_points_are_encodings_without_a_width():
    # An autoencoder's codes: all of the covariance is that of the codes.
    mu, logvar = codes(40, 3)
    labels = torch.arange(40) % 4
    points = mixtures.class_moments(mu, None, labels)
    parts = mixtures.covariance_parts(mu, None, labels)
    for c in range(4):
        expected = np.cov(mu[labels == c].numpy().T, bias=True)
        np.testing.assert_allclose(points.covariances[c], expected, rtol=1e-12)
    assert (parts.within == 0).all()
    torch.testing.assert_close(parts.between, mixtures.covariance_parts(mu, logvar, labels)[1])


def row(tensor, index, value):
    return tensor.index_fill(0, torch.tensor([index]), value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, v, y: (m, v, y[:-1]), r"labels must be .* \[6\], got int64 of shape \[5\]"),
        (lambda m, v, y: (m, v, y[:, None]), r"labels must be .* got int64 of shape \[6, 1\]"),
        (lambda m, v, y: (m, v, y.double()), "labels must be an integer tensor .* got float64"),
        (lambda m, v, y: (m, v, None), r"labels must be an integer tensor \[6\], got NoneType"),
        (lambda m, v, y: (m.long(), v, y), r"mu must be a float tensor \[N, D\], got int64"),
        (lambda m, v, y: (m, v.long(), y), "logvar must be a float tensor .* got int64"),
        (lambda m, v, y: (m.numpy(), v, y), "mu must be a float tensor .* got ndarray"),
        (lambda m, v, y: (m, v[:, :1], y), r"logvar .* \[6, 2\], got float64 of shape \[6, 1\]"),
        (lambda m, v, y: (m[:0], v[:0], y[:0]), r"mu must be .* got float64 of shape \[0, 2\]"),
        (lambda m, v, y: (m, v, torch.tensor([0, 0, 0, 4, 4, 7])), r"twice, \[7\] have one"),
        (lambda m, v, y: (m, v, y, torch.tensor([0, 1, 2])), r"\[2\] have no member"),
        (lambda m, v, y: (m, v, y, torch.tensor([0])), r"\[1\] are not among them"),
        (lambda m, v, y: (m, v, y, [0, 1]), "classes must be an integer tensor .* got list"),
        (lambda m, v, y: (row(m, 4, math.nan), v, y), r"mu must be finite, got nan at \[4, 0\]"),
        (lambda m, v, y: (row(m.float(), 4, math.inf), v, y), "mu must be finite, got inf at"),
        (lambda m, v, y: (row(m, 4, 1e20), v, y), r"mu must be at most 1e\+09 in size"),
        (lambda m, v, y: (m, row(v, 5, math.inf), y), "logvar must be finite, got inf at"),
        (lambda m, v, y: (m, row(v.float(), 2, 200.0), y), "at most 40 in size, got 200 at"),
        (lambda m, v, y: (m, row(v, 2, -300.0), y), "at most 40 in size, got -300 at"),
        (lambda m, v, y: (m, v, y.to("meta")), "labels and mu must be on one device"),
        (lambda m, v, y: (m.to("meta"), v, y), "must hold values"),
        (
            lambda m, v, y: (m, v.to("meta"), y),
            "logvar must hold values, got a tensor on the device meta",
        ),
    ],
)
def test_moments_refuse_what_they_cannot_take_by_name(change, message):
    mu, logvar = codes(6, 2)
    with pytest.raises(ValueError, match=message):
        mixtures.class_moments(*change(mu, logvar, torch.tensor([0, 0, 0, 1, 1, 1])))


# Density


@pytest.mark.slow
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


def test_float32_encodings_give_the_density_of_float64_in_their_own_type():
    mu, logvar = codes(6, 2, dtype=torch.float32)
    z = codes(4, 2, seed=1, dtype=torch.float32)[0]
    found = mixtures.log_density(z, mu, logvar)
    assert found.dtype == torch.float32
    expected = reference(mu.double(), logvar.double()).log_prob(z.double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)


def test_the_farthest_codes_that_are_taken_have_a_density_in_float32():
    z = torch.full((1, 20), 1e9)
    for logvar in (-40.0, 40.0):
        found = mixtures.log_density(z, -z, torch.full_like(z, logvar))
        exact = -0.5 * 20 * (4e18 * math.exp(-logvar) + logvar + math.log(2 * math.pi))
        assert found.item() == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z, m, v: (z[:, :1], m, v), r"z must be .* \[M, 2\], got float64 of .* \[4, 1\]"),
        (lambda z, m, v: (row(z, 1, math.nan), m, v), r"z must be finite, got nan at \[1, 0\]"),
        (lambda z, m, v: (z.long(), m, v), "z must be a float tensor .* got int64"),
        (lambda z, m, v: (z[:0], m, v), "z must be a float tensor"),
        (lambda z, m, v: (z, m * math.inf, v), "mu must be finite, got"),
        # In float32 a bound of 1e100 would be infinity itself.
        (lambda z, m, v: (z, row(m.float(), 0, math.inf), v), "mu must be finite, got inf"),
        (lambda z, m, v: (z, m.long(), v), "mu must be a float tensor .* got int64"),
        (lambda z, m, v: (z, m, None), r"logvar must be .* got None: points have no density"),
        (lambda z, m, v: (z, m, v + 300), "logvar must be at most 40 in size"),
        (
            lambda z, m, v: (z.to("meta"), m, v),
            "must hold values, got a tensor on the device meta",
        ),
    ],
)
def test_densities_refuse_what_they_cannot_take_by_name(change, message):
    z, (mu, logvar) = codes(4, 2, seed=1)[0], codes(6, 2)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    with pytest.raises(ValueError, match=message):
        mixtures.log_density(*change(z, mu, logvar))
    with pytest.raises(ValueError, match=message):
        mixtures.log_posterior(*change(z, mu, logvar), labels)


def test_a_posterior_of_no_labels_is_refused():
    mu, logvar = codes(6, 2)
    with pytest.raises(ValueError, match=r"labels must be an integer tensor \[6\], got NoneType"):
        mixtures.log_posterior(mu, mu, logvar, None)


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


@pytest.mark.slow
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

    result = mixtures.aggregate_information(
        mu, logvar, n_samples=40_000, generator=torch.Generator().manual_seed(0)
    )
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


@pytest.mark.slow
def test_the_two_informations_enclose_that_of_the_population():
    # x ~ N(0, 1) and z|x ~ N(x, s^2): I = log(1 + 1/s^2) / 2.
    variance = 0.1
    exact = 0.5 * math.log(1 + 1 / variance)
    generator = torch.Generator().manual_seed(0)
    below, above = [], []
    for _ in range(300):
        mu = torch.randn(12, 1, generator=generator, dtype=torch.float64)
        logvar = torch.full_like(mu, math.log(variance))
        result = mixtures.aggregate_information(mu, logvar, n_samples=100, generator=generator)
        below.append(result.information.value)
        above.append(result.information_left_out.value)
    assert np.mean(below) + SIGMAS * scipy.stats.sem(below) < exact
    assert np.mean(above) - SIGMAS * scipy.stats.sem(above) > exact


@pytest.mark.parametrize("prior_type", [torch.float32, torch.float64])
def test_another_prior_changes_the_marginal_kl_and_not_the_information(prior_type):
    mu, logvar = codes(5, 1)
    means = torch.tensor([[-1.0], [2.0]], dtype=prior_type)
    shifted = priors.DiagonalNormal(means[1], torch.tensor([0.5], dtype=prior_type))
    two = priors.Mixture(means, torch.zeros(2, 1, dtype=prior_type))
    x, step = line_of_points()
    log_q = reference(mu, logvar).log_prob(x)
    log_p = {
        shifted: td.Normal(2.0, math.exp(0.25)).log_prob(x[:, 0]),
        two: reference(means.double(), torch.zeros(2, 1).double()).log_prob(x),
    }

    def seeded(prior, n_samples):
        generator = torch.Generator().manual_seed(0)
        return mixtures.aggregate_information(mu, logvar, prior, n_samples, generator)

    for prior, log_prior in log_p.items():
        marginal = ((log_q - log_prior) * log_q.exp()).sum().item() * step
        found = seeded(prior, 40_000)
        assert abs(found.marginal_kl.value - marginal) < SIGMAS * found.marginal_kl.standard_error
        assert seeded(prior, 100).information == seeded(None, 100).information
        # The model's own prior is left in its dtype.
        assert next(prior.buffers()).dtype == prior_type
    q = td.Normal(mu, (0.5 * logvar).exp())
    exact = td.kl_divergence(q, td.Normal(2.0, math.exp(0.25))).mean().item()
    assert seeded(shifted, 10).mean_kl == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((100,), "prior must be a Prior over 2 dimensions or None, got 100"),
        ((priors.StandardNormal(3),), "prior must be a Prior over 2 dimensions"),
        ((priors.ConditionalShift(2, 1.0, torch.ones_like),), "labels must be the score"),
        ((None, 1), "n_samples must be a whole number, 2 or more, got 1"),
        ((None, 2.0), r"n_samples must be a whole number, 2 or more, got 2\.0"),
        ((None, 10, 0), r"generator must be a torch\.Generator or None, got 0"),
    ],
)
def test_information_refuses_what_it_cannot_take_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        mixtures.aggregate_information(*codes(6, 2), *arguments)


def test_too_few_to_estimate_from_and_overflow_are_refused():
    mu, logvar = codes(6, 2)
    with pytest.raises(ValueError, match="n_samples must be a whole number, 2 or more, got 1"):
        mixtures.mixture_kl(mu, logvar, mu, logvar, 1)
    with pytest.raises(ValueError, match=r"mu_q must be a float tensor \[L, 2\]"):
        mixtures.mixture_kl(mu, logvar, mu[:, :1], logvar[:, :1])
    with pytest.raises(ValueError, match="logvar_q must be at most 40 in size"):
        mixtures.mixture_kl(mu, logvar, mu, logvar + 300)
    with pytest.raises(ValueError, match=r"at least 2 encodings .* got 1"):
        mixtures.aggregate_information(mu[:1], logvar[:1])
    with pytest.raises(ValueError, match="logvar must be at most 40 in size, got 200 at"):
        mixtures.aggregate_information(mu, row(logvar, 0, 200.0))


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
    with pytest.raises(ValueError, match=r"means must be finite, got nan at \[2, 0\]"):
        mixtures.bhattacharyya(row(means, 2, math.nan), covariances)
    with pytest.raises(ValueError, match=r"covariances .* \[3, 2, 2\], got float32 of shape"):
        mixtures.bhattacharyya(means, torch.eye(2))
    with pytest.raises(ValueError, match=r"means must be a float tensor .* got int64"):
        mixtures.bhattacharyya(means.long(), covariances)
    with pytest.raises(ValueError, match=r"covariances must be a float tensor .* got int64"):
        mixtures.bhattacharyya(means, covariances.long())
    with pytest.raises(ValueError, match="covariances must not be so small"):
        mixtures.bhattacharyya(torch.eye(3, 2), 1e-40 * torch.eye(2).expand(3, 2, 2))


def test_surgery_by_a_grid_agrees_with_draws_and_with_a_finer_grid():
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(50, 2, generator=generator)
    logvar = -3 + torch.randn(50, 2, generator=generator)
    least = (0.5 * logvar).exp().min().item()
    means = torch.randn(3, 2, generator=generator)
    for prior in (None, priors.Mixture(means, torch.zeros(3, 2))):
        found = mixtures.surgery(mu, logvar, prior, least)
        finer = mixtures.surgery(mu, logvar, prior, least / 3)
        assert found == pytest.approx(finer, abs=1e-6)
        assert found.mean_kl == pytest.approx(found.information + found.marginal_kl, abs=1e-9)
        drawn = mixtures.aggregate_information(
            mu, logvar, prior, 20_000, torch.Generator().manual_seed(1)
        )
        for value, by_draws in (
            (found.information, drawn.information),
            (found.marginal_kl, drawn.marginal_kl),
        ):
            assert abs(value - by_draws.value) < 4 * by_draws.standard_error


def test_surgery_of_one_code_is_its_kl():
    mu, logvar = torch.tensor([[0.5, -2.0]]), torch.tensor([[-4.0, 1.0]])
    found = mixtures.surgery(mu, logvar, step=0.1)
    expected = priors.StandardNormal(2).kl(mu, logvar).item()
    assert found.information == pytest.approx(0, abs=1e-7)
    assert found.marginal_kl == pytest.approx(expected, abs=1e-6)


def test_surgery_refuses_codes_that_its_grid_cannot_hold():
    mu, logvar = torch.zeros(3, 2), torch.full((3, 2), -4.0)
    with pytest.raises(ValueError, match="step must be at most the least standard"):
        mixtures.surgery(mu, logvar, step=0.2)
    with pytest.raises(ValueError, match="step must be larger than"):
        mixtures.surgery(mu, logvar, step=1e-5)
    with pytest.raises(ValueError, match=r"mu must be \[N, 2\], got \[3, 3\]"):
        mixtures.surgery(torch.zeros(3, 3), torch.zeros(3, 3))
    with pytest.raises(ValueError, match="prior must be a Prior over 2 dimensions"):
        mixtures.surgery(mu, logvar, priors.StandardNormal(3))
