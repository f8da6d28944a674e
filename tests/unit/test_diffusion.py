"""Diffusion against closed forms: Gaussian data, autograd, quadrature, exact recursions."""

import math
from itertools import pairwise

import pytest
import torch
from torch import distributions as td

from vaebook.latent import diffusion, mixtures
from vaebook.latent.diffusion import Field, NoisedMixture, Process
from vaebook.models.priors import StandardNormal

PROCESS = Process()
MEAN = torch.tensor([[0.5, -0.3]]).double()
LOGVAR = torch.tensor([[-2.0, 0.7]]).double()
TIMES = [0.0, 0.2, 0.5, 0.9, 1.0]

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian():
    return NoisedMixture(MEAN, LOGVAR)


def draws(n, seed=0):
    return MEAN + (0.5 * LOGVAR).exp() * torch.randn(n, 2, generator=seeded(seed)).double()


def three(full):
    generator = seeded(3)
    mu = 2 * torch.randn(3, 2, generator=generator).double()
    weights = torch.tensor([0.2, 0.3, 0.5]).double()
    if full:
        root = torch.randn(3, 2, 2, generator=generator).double()
        covariances = root @ root.mT + 0.05 * torch.eye(2)
        return NoisedMixture.of_covariances(mu, covariances, weights), mu, covariances, weights
    logvar = torch.randn(3, 2, generator=generator).double() - 1
    return NoisedMixture(mu, logvar, weights), mu, logvar.exp().diag_embed(), weights


def noised_by_torch(mu, covariances, weights, t):
    time = torch.tensor(t, dtype=torch.float64)
    alpha, sigma = PROCESS.alpha(time), PROCESS.sigma(time)
    noised = alpha**2 * covariances + sigma**2 * torch.eye(2).double()
    return td.MixtureSameFamily(td.Categorical(weights), td.MultivariateNormal(alpha * mu, noised))


# The process


def test_the_variance_of_unit_data_is_preserved_and_the_ratio_is_linear():
    t = torch.linspace(0, 1, 11).double()
    alpha, sigma = PROCESS.alpha(t), PROCESS.sigma(t)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(t))
    torch.testing.assert_close((alpha / sigma).square().log(), 9 - 18 * t)


def test_the_process_solves_its_stochastic_equation():
    t = torch.linspace(0.05, 0.95, 7).double().requires_grad_()
    beta = 18 * PROCESS.sigma(t).square()
    (rate,) = torch.autograd.grad(PROCESS.alpha(t).log().sum(), t)
    torch.testing.assert_close(rate, -0.5 * beta)
    (grown,) = torch.autograd.grad(PROCESS.sigma(t).square().sum(), t)
    torch.testing.assert_close(grown, beta * PROCESS.alpha(t).square())


# The exact field


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("t", TIMES)
def test_density_and_score_are_those_of_the_noised_mixture(full, t):
    field, *parts = three(full)
    z = (3 * torch.randn(50, 2, generator=seeded()).double()).requires_grad_()
    truth = noised_by_torch(*parts, t).log_prob(z)
    (score,) = torch.autograd.grad(truth.sum(), z)
    torch.testing.assert_close(field.log_density(z, t), truth, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(field.score(z, t), score, rtol=1e-7, atol=1e-7)


def test_many_times_are_taken_each_for_itself():
    field, *_ = three(False)
    z, t = torch.randn(5, 2).double(), torch.tensor([0.1, 0.5, 0.1, 0.9, 0.5]).double()
    alone = torch.cat([field(z[i : i + 1], t[i].item()) for i in range(5)])
    torch.testing.assert_close(field(z, t), alone)
    one = torch.stack([field.log_density(z[i : i + 1], t[i].item())[0] for i in range(5)])
    torch.testing.assert_close(field.log_density(z, t), one)


@pytest.mark.parametrize("full", [False, True])
def test_the_parts_of_a_large_table_make_the_whole(full, monkeypatch):
    field, *parts = three(full)
    z = torch.randn(20, 2, generator=seeded()).double()
    whole = field(z, 0.4)
    monkeypatch.setattr(diffusion, "_TABLE", 7)
    torch.testing.assert_close(field(z, 0.4), whole)
    truth = noised_by_torch(*parts, 0.4).log_prob(z)
    torch.testing.assert_close(field.log_density(z, 0.4), truth)


@pytest.mark.parametrize("reach", [1e3, 1e6, 1e8])
def test_points_far_apart_lose_no_digits(reach):
    mu = reach * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double()
    field = NoisedMixture(mu, None)
    z = PROCESS.noised(mu, 0.1, torch.tensor([[0.3, -1.2], [2.0, 0.1]]).double())
    truth = noised_by_torch(
        mu, torch.zeros(2, 2, 2).double(), torch.tensor([0.5, 0.5]).double(), 0.1
    )
    # The codes themselves are rounded, by a ten-millionth of the noise at most.
    torch.testing.assert_close(field.log_density(z, 0.1), truth.log_prob(z), rtol=0, atol=1e-5)
    time = torch.tensor(0.1, dtype=torch.float64)
    noise = (z - PROCESS.alpha(time) * mu) / PROCESS.sigma(time)
    torch.testing.assert_close(field(z, 0.1), noise, rtol=0, atol=1e-6)


def test_hardly_noised_the_density_is_that_of_the_encodings():
    mu, logvar = torch.randn(20, 3).double(), 0.3 * torch.randn(20, 3).double()
    field = NoisedMixture(mu, logvar, process=Process(50.0, -9.0))
    z = torch.randn(7, 3).double()
    torch.testing.assert_close(field.log_density(z, 0.0), mixtures.log_density(z, mu, logvar))


def test_no_field_has_a_smaller_error_than_the_exact_one():
    field, mu, covariances, weights = three(False)
    z = td.MixtureSameFamily(
        td.Categorical(weights), td.MultivariateNormal(mu, covariances)
    ).sample((40_000,))
    noise = torch.randn(z.shape, generator=seeded()).double()
    z_t = PROCESS.noised(z, 0.4, noise)
    exact = field(z_t, 0.4)
    # The residual of a conditional mean is uncorrelated with every function of z_t.
    for other in (torch.ones_like(z_t), z_t, z_t.sin(), exact):
        product = ((noise - exact) * other).sum(1)
        assert abs(product.mean()) < SIGMAS * product.std() / math.sqrt(len(z))


def test_points_pull_to_the_only_code_that_is_near():
    field = NoisedMixture(torch.tensor([[-1.0], [1.0]]).double(), None)
    noise = torch.tensor([[0.7]]).double()
    z = PROCESS.noised(torch.ones(1, 1).double(), 0.1, noise)
    torch.testing.assert_close(field(z, 0.1), noise)


def test_of_two_points_the_code_believed_in_is_a_hyperbolic_tangent():
    field = NoisedMixture(torch.tensor([[-1.0], [1.0]]).double(), None)
    z, t = torch.linspace(-3, 3, 25)[:, None].double(), torch.tensor(0.45).double()
    alpha, sigma = PROCESS.alpha(t), PROCESS.sigma(t)
    believed = (z - sigma * field(z, t.item())) / alpha
    torch.testing.assert_close(believed, (alpha * z / sigma**2).tanh())


# The ways back


@pytest.mark.slow
def test_the_flow_of_a_gaussian_is_the_map_between_its_ends():
    start = torch.randn(20, 2, generator=seeded()).double()
    ends = torch.tensor([0.0, 1.0]).double()
    alpha, sigma = PROCESS.alpha(ends)[:, None], PROCESS.sigma(ends)[:, None]
    spread = (alpha**2 * LOGVAR.exp() + sigma**2).sqrt()
    truth = alpha[0] * MEAN + spread[0] / spread[1] * (start - alpha[1] * MEAN)
    errors = []
    for n in (100, 200, 400):
        found = diffusion.sample_ode(gaussian(), start, n)
        errors.append((found - truth).abs().max().item())
    assert errors[-1] < 2e-3
    # Heun's rule is of second order.
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("full", [False, True])
def test_the_density_of_the_flow_is_that_of_the_mixture(full):
    # So long a way that at its end the noised mixture is N(0, I) to three digits.
    process = Process(9.0, -16.0)
    field, *_ = three(full)
    field.process = process
    z = torch.randn(6, 2, generator=seeded()).double()
    found = diffusion.log_density_ode(field, z, 300)
    torch.testing.assert_close(found, field.log_density(z, 0.0), rtol=0, atol=0.01)


@pytest.mark.slow
def test_the_density_of_the_flow_of_a_gaussian_is_a_closed_form():
    z = torch.randn(6, 2, generator=seeded()).double()
    ends = torch.tensor([0.0, 1.0]).double()
    (a_0, a_1), (s_0, s_1) = PROCESS.alpha(ends), PROCESS.sigma(ends)
    begin, end = ((a**2 * LOGVAR.exp() + s**2).sqrt() for a, s in ((a_0, s_0), (a_1, s_1)))
    # Each coordinate stays as many standard deviations from the mean as it was.
    last = a_1 * MEAN + end * (z - a_0 * MEAN) / begin
    expected = td.Normal(0.0, 1.0).log_prob(last).sum(1) + (end / begin).log().sum()
    found = diffusion.log_density_ode(gaussian(), z, 800)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def ancestral_moments(mean, variance, n_steps):
    """Mean and variance of z_0 of the ancestral steps for N(mean, variance), exactly."""
    m, v = torch.zeros_like(mean), torch.ones_like(variance)
    grid = torch.linspace(1, 0, n_steps + 1).double()
    for t, s in pairwise(grid):
        a_t, a_s, s_t, s_s = PROCESS.alpha(t), PROCESS.alpha(s), PROCESS.sigma(t), PROCESS.sigma(s)
        # z_0 given z_t, then z_s given both: what Bayes' rule says of Gaussians.
        gain = a_t * variance / (a_t**2 * variance + s_t**2)
        a, var = a_t / a_s, s_t**2 - (a_t / a_s) ** 2 * s_s**2
        on_t, on_0 = a * s_s**2 / s_t**2, a_s * var / s_t**2
        slope = on_t + on_0 * gain
        m = slope * m + on_0 * (mean - gain * a_t * mean)
        v = slope**2 * v + var * s_s**2 / s_t**2
    return m, v


@pytest.mark.slow
@pytest.mark.parametrize("n_steps", [10, 60])
def test_ancestral_steps_have_the_moments_of_their_recursion(n_steps):
    n = 20_000
    start = torch.randn(n, 2, generator=seeded()).double()
    found = diffusion.sample_sde(gaussian(), start, n_steps, generator=seeded(1))
    mean, variance = ancestral_moments(MEAN[0], LOGVAR[0].exp(), n_steps)
    assert (found.mean(0) - mean).abs().lt(SIGMAS * (variance / n).sqrt()).all()
    assert (found.var(0) / variance - 1).abs().lt(SIGMAS * math.sqrt(2 / n)).all()


@pytest.mark.slow
def test_with_many_steps_the_way_back_has_the_moments_of_the_data():
    # Anderson's reversal: the recursion's error falls as 1 / T.
    truth = PROCESS.alpha(torch.tensor(0.0).double()) ** 2 * LOGVAR[0].exp()
    errors = [
        (ancestral_moments(MEAN[0], LOGVAR[0].exp(), n)[1] - truth).abs().max().item()
        for n in (500, 1000, 2000)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


# Guidance


def test_without_weight_guidance_is_the_field_of_the_class():
    field, mu, *_ = three(False)
    one = NoisedMixture(mu[:1], LOGVAR)
    z = torch.randn(5, 2).double()
    torch.testing.assert_close(diffusion.guided(one, field, 0.0)(z, 0.5), one(z, 0.5))
    torch.testing.assert_close(diffusion.guided(one, field, -1.0)(z, 0.5), field(z, 0.5))


def test_fields_of_two_processes_are_not_mixed():
    other = NoisedMixture(MEAN, LOGVAR, process=Process(5.0, -5.0))
    with pytest.raises(ValueError, match="without must be of the process of with_class"):
        diffusion.guided(gaussian(), other, 1.0)


def test_what_is_made_of_a_field_keeps_its_process():
    process = Process(5.0, -6.0)
    denoiser = diffusion.Denoiser(2, width=4, n_classes=2, process=process)
    told = denoiser.given(torch.tensor([0, 1]))
    assert told.process == process
    assert diffusion.guided(told, denoiser, 1.0).process == process
    assert Field(lambda z, t: z, process).process == process


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sde", "ode", "density", "bound", "loss"])
def test_each_way_is_that_of_the_process_of_its_field(way):
    """A process moved by 2 log c is that of codes multiplied by c, but for the bound's entropy."""
    c = 0.5
    moved = Process(9.0 + 2 * math.log(c), -9.0 + 2 * math.log(c))
    plain = NoisedMixture(MEAN, LOGVAR, process=moved)
    scaled = NoisedMixture(c * MEAN, LOGVAR + 2 * math.log(c))
    z = draws(200)
    seeds = [seeded(1), seeded(1)]
    if way == "loss":
        found = [
            diffusion.denoising_loss(field, codes, generator)
            for field, codes, generator in zip((plain, scaled), (z, c * z), seeds, strict=True)
        ]
    elif way == "bound":
        found = [
            diffusion.bound(field, codes, 20, generator=generator).diffusion
            for field, codes, generator in zip((plain, scaled), (z, c * z), seeds, strict=True)
        ]
    else:
        # N(0, I) of one process is another density of the other: k is the factor between them.
        times = torch.tensor([0.0, 1.0]).double()
        k = (c**2 * PROCESS.alpha(times) ** 2 + PROCESS.sigma(times) ** 2).sqrt()
        if way == "sde":
            found = [
                diffusion.sample_sde(plain, z, 30, seeds[0]) * k[0],
                diffusion.sample_sde(scaled, k[1] * z, 30, seeds[1]),
            ]
        elif way == "ode":
            found = [
                diffusion.sample_ode(plain, z, 30) * k[0],
                diffusion.sample_ode(scaled, k[1] * z, 30),
            ]
        else:
            prior = StandardNormal(2).double()
            ends = [z, k[0] * z]
            found = [
                diffusion.log_density_ode(field, end, 400)
                for field, end in zip((plain, scaled), ends, strict=True)
            ]
            found[1] = found[1] + 2 * k[0].log()
            assert (found[0] - prior.log_prob(z)).abs().max() > 0.1
            torch.testing.assert_close(*found, rtol=0, atol=5e-3)
            return
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


# The bound


def expected_bound(n_steps):
    """The mean over N(MEAN, LOGVAR) of the bound with the exact field, in closed form."""
    variance = LOGVAR[0].exp()
    ends = torch.tensor([0.0, 1.0]).double()
    (a0, a1), (s0, s1) = PROCESS.alpha(ends), PROCESS.sigma(ends)
    second = variance + MEAN[0] ** 2
    prior = 0.5 * (a1**2 * second + s1**2 - 1 - (s1**2).log()).sum()
    reconstruction = (0.5 + 0.5 * math.log(2 * math.pi) + (s0 / a0).log()) * 2

    def error(lam):
        return (variance / (variance + (-lam).exp())).sum(1)

    if n_steps:
        lam = 9 - 18 * torch.arange(1, n_steps + 1).double()[:, None] / n_steps
        steps = 0.5 * math.expm1(18 / n_steps) * error(lam).sum()
    else:
        ends = torch.tensor([9.0, -9.0]).double()[:, None]
        grown = torch.log1p(variance * ends.exp()).sum(1)
        steps = 0.5 * (grown[0] - grown[1])
    return (prior + steps + reconstruction).item()


@pytest.mark.slow
@pytest.mark.parametrize(("n_steps", "continuous"), [(20, False), (100, False), (100, True)])
def test_the_bound_of_a_gaussian_is_its_closed_form(n_steps, continuous):
    found = diffusion.bound(
        gaussian(), draws(4000), n_steps, continuous=continuous, generator=seeded(1)
    ).total
    truth = expected_bound(0 if continuous else n_steps)
    error = found.std().item() / math.sqrt(len(found))
    # One offset for all codes: what its sum over 100 times is off by is far below the noise.
    assert abs(found.mean().item() - truth) < SIGMAS * error


def test_the_gap_of_the_bound_closes_as_one_over_the_steps():
    entropy = 0.5 * (2 * math.log(2 * math.pi * math.e) + LOGVAR.sum().item())
    limit = expected_bound(0)
    gaps = [expected_bound(n) - limit for n in (400, 800, 1600)]
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.05)
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.05)
    # And the limit is the entropy, but for the ends of the process.
    assert 0 <= limit - entropy < 2e-3


def test_the_bound_is_above_the_evidence_of_its_own_steps_back():
    # The steps back from N(0, I) make z_0 Gaussian, and p(z | z_0) makes z Gaussian.
    for n_steps in (10, 40):
        mean, variance = ancestral_moments(MEAN[0], LOGVAR[0].exp(), n_steps)
        ends = torch.tensor(0.0).double()
        a0, s0 = PROCESS.alpha(ends), PROCESS.sigma(ends)
        m, v = mean / a0, (variance + s0**2) / a0**2
        truth, spread = MEAN[0], LOGVAR[0].exp()
        cross = 0.5 * ((2 * math.pi * v).log() + (spread + (truth - m) ** 2) / v).sum().item()
        assert expected_bound(n_steps) > cross


def test_the_end_of_the_process_costs_the_divergence_from_the_prior():
    z = draws(5)
    terms = diffusion.bound(gaussian(), z, 3, generator=seeded())
    ends = torch.tensor(1.0).double()
    mu, logvar = PROCESS.alpha(ends) * z, PROCESS.sigma(ends).square().log().expand(5, 2)
    torch.testing.assert_close(terms.prior, StandardNormal(2).double().kl(mu, logvar))


# The denoiser


def test_where_all_is_noise_the_denoiser_knows_it():
    denoiser = diffusion.Denoiser(2, process=Process(40.0, -40.0))
    z = torch.randn(4, 2)
    torch.testing.assert_close(denoiser(z, 1.0), z, rtol=0, atol=1e-6)


def test_a_class_that_is_not_told_is_none():
    torch.manual_seed(0)
    denoiser = diffusion.Denoiser(2, n_classes=3)
    z = torch.randn(4, 2)
    torch.testing.assert_close(denoiser(z, 0.5), denoiser(z, 0.5, torch.full((4,), -1)))
    assert (denoiser(z, 0.5) - denoiser(z, 0.5, torch.zeros(4).long())).abs().min() > 1e-6


def test_times_are_spread_over_the_batch():
    seen = []

    def spy(z, t):
        seen.append(t)
        return torch.zeros_like(z)

    for seed in range(200):
        diffusion.denoising_loss(Field(spy), torch.zeros(10, 2), generator=seeded(seed))
    gaps = seen[0].sort().values.diff()
    torch.testing.assert_close(gaps, torch.full((9,), 0.1))
    # In an order drawn, or the first codes of a batch would always be the least noisy.
    times = torch.stack(seen)
    assert ((times.mean(0) - 0.5).abs() < SIGMAS * math.sqrt(1 / 12 / 200)).all()
    neighbours = (times[:, 1:] - times[:, :-1]) % 1
    assert (neighbours - 0.1).abs().gt(0.05).double().mean() > 0.8


@pytest.mark.weekly
@pytest.mark.slow
def test_a_taught_denoiser_comes_near_the_exact_field():
    torch.manual_seed(0)
    mu, logvar = torch.tensor([[-1.0], [1.0]]), torch.full((2, 1), -3.0)
    denoiser = diffusion.Denoiser(1, width=32)
    diffusion.fit(denoiser, mu, logvar, n_steps=1200, generator=seeded())
    exact = NoisedMixture(mu, logvar)
    z = mu.repeat(2000, 1) + 0.22 * torch.randn(4000, 1, generator=seeded(1))
    losses = [
        diffusion.denoising_loss(field, z, generator=seeded(2)).mean().item()
        for field in (exact, denoiser, Field(lambda z, t: PROCESS.sigma(t)[:, None] * z))
    ]
    # Of what N(0, I) has too much, nine tenths are gone.
    assert losses[0] < losses[1] < losses[0] + 0.1 * (losses[2] - losses[0])


@pytest.mark.slow
def test_a_fit_is_repeated_by_its_seed_and_reaches_every_weight():
    ends = []
    for _ in range(2):
        torch.manual_seed(0)
        denoiser = diffusion.Denoiser(2, width=8, n_classes=2)
        before = [weight.clone() for weight in denoiser.parameters()]
        labels = torch.tensor([0, 1, 0, 1])
        diffusion.fit(denoiser, torch.ones(4, 2), None, labels, n_steps=20, generator=seeded())
        ends.append(list(denoiser.parameters()))
        assert all((a != b).any() for a, b in zip(before, denoiser.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_a_denoiser_learns_each_class_from_its_own_codes_and_all_from_those_left_out(dtype):
    torch.manual_seed(0)
    mu, labels = torch.tensor([[-2.0], [2.0]]).repeat(50, 1), torch.arange(2).repeat(50)
    denoiser = diffusion.Denoiser(1, width=32, n_classes=2)
    diffusion.fit(
        denoiser,
        mu,
        None,
        labels.to(dtype),
        n_steps=500,
        learning_rate=5e-3,
        drop=0.3,
        generator=seeded(),
    )
    z = torch.zeros(1, 1)
    time = torch.tensor(0.5)
    alpha, sigma = PROCESS.alpha(time), PROCESS.sigma(time)
    believed = [
        ((z - sigma * field(z, 0.5)) / alpha).item()
        for field in (
            denoiser.given(torch.tensor([0])),
            denoiser.given(torch.tensor([1])),
            denoiser,
        )
    ]
    # Without a class the codes of both are as likely, and their mean is 0.
    assert believed == pytest.approx([-2, 2, 0], abs=0.6)


def test_codes_with_a_graph_are_fitted_and_keep_it():
    root = torch.randn(8, 2, generator=seeded()).requires_grad_()
    diffusion.fit(diffusion.Denoiser(2, width=4), 2 * root, 0.1 * root, n_steps=3)
    assert root.grad is None


# What is refused


def test_odd_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match="last must be below first"):
        Process(1.0, 2.0)
    with pytest.raises(ValueError, match="axes must be orthonormal"):
        NoisedMixture(MEAN, LOGVAR, axes=2 * torch.eye(2)[None])
    with pytest.raises(ValueError, match="weights must be positive"):
        NoisedMixture(MEAN, LOGVAR, weights=torch.tensor([0.5]))
    with pytest.raises(ValueError, match="field must be a Field or"):
        diffusion.sample_ode(lambda z, t: z, torch.zeros(1, 2), 2)
    with pytest.raises(ValueError, match="function must map"):
        Field(3)
    with pytest.raises(ValueError, match=r"function\(z, t\) must be a float tensor \[3, 2\]"):
        diffusion.sample_ode(Field(lambda z, t: z[:, :1]), torch.zeros(3, 2), 2)
    with pytest.raises(ValueError, match="labels must be None"):
        diffusion.Denoiser(2)(torch.zeros(1, 2), 0.5, torch.zeros(1).long())
    with pytest.raises(ValueError, match="labels must be of 0 to 1"):
        diffusion.Denoiser(2, n_classes=2).given(torch.tensor([2]))
    with pytest.raises(ValueError, match="t must be a finite number"):
        gaussian()(MEAN, 1.5)


@torch.no_grad()
def test_a_denoiser_takes_its_gradients_whatever_stands_around_it():
    denoiser = diffusion.Denoiser(2, width=4)
    before = [weight.clone() for weight in denoiser.parameters()]
    diffusion.fit(denoiser, torch.ones(4, 2), None, n_steps=3, generator=seeded())
    changed = zip(before, denoiser.parameters(), strict=True)
    assert not any(torch.equal(old, new) for old, new in changed)
