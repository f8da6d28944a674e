"""The models against torch.distributions, enumeration, autograd and Monte Carlo."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions as td
from torch import nn

from vaebook.models import VAE, Autoencoder, Bernoulli, Gaussian
from vaebook.models.networks import MLPDecoder, MLPEncoder

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5

MODES = ["fixed", "learned", "optimal", "constrained"]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small_vae(likelihood, latent_dim=2, size=4):
    torch.manual_seed(0)
    encoder = MLPEncoder(2 * latent_dim, (8,), size)
    return VAE(encoder, MLPDecoder(latent_dim, (8,), size), latent_dim, likelihood)


# ---------------------------------------------------------------------------------------------
# Bernoulli


@given(st.integers(0, 2**31), st.floats(0.1, 30))
def test_bernoulli_log_prob_is_torchs(seed, scale):
    logits = scale * draw(5, 1, 3, 4, seed=seed)
    images = torch.bernoulli(torch.full_like(logits, 0.5))
    expected = td.Independent(td.Bernoulli(logits=logits), 3).log_prob(images)
    # softplus cuts at 20, where the rest is 2e-9 a pixel.
    torch.testing.assert_close(Bernoulli().log_prob(logits, images), expected, rtol=0, atol=1e-7)


def test_bernoulli_log_prob_of_grey_is_the_mean_over_all_its_binarisations():
    logits = draw(1, 1, 2, 3)
    grey = torch.rand(1, 1, 2, 3, dtype=torch.float64)
    binary = torch.tensor(list(product([0.0, 1.0], repeat=6)), dtype=torch.float64)
    binary = binary.reshape(64, 1, 2, 3)
    probability = td.Independent(td.Bernoulli(grey), 3).log_prob(binary).exp()
    log_prob = td.Independent(td.Bernoulli(logits=logits), 3).log_prob(binary)
    assert probability.sum().item() == pytest.approx(1)
    found = Bernoulli().log_prob(logits, grey).item()
    assert found == pytest.approx((probability @ log_prob).item(), abs=1e-8)


def test_bernoulli_stays_finite_for_a_decoder_that_is_very_sure():
    logits = torch.tensor([[-1e4, 1e4]]).reshape(1, 1, 1, 2)
    right, wrong = torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    assert Bernoulli().log_prob(logits, right).item() == 0
    assert Bernoulli().log_prob(logits, wrong).item() == -2e4


# ---------------------------------------------------------------------------------------------
# Gaussian


@given(st.integers(0, 2**31), st.floats(1e-3, 10), st.sampled_from(MODES))
def test_gaussian_log_prob_is_torchs(seed, variance, mode):
    outputs, images = draw(5, 1, 3, 4, seed=seed), draw(5, 1, 3, 4, seed=seed + 1)
    likelihood = Gaussian(variance, mode).double().eval()
    scale = likelihood.variance.detach().sqrt()
    assert scale.item() == pytest.approx(variance**0.5, rel=1e-6)
    expected = td.Independent(td.Normal(outputs, scale), 3).log_prob(images)
    torch.testing.assert_close(likelihood.log_prob(outputs, images), expected)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.3)])
def test_pairs_are_each_image_under_each_output(likelihood):
    outputs, images = draw(4, 1, 3, 3).float(), torch.rand(6, 1, 3, 3)
    pairs = likelihood.log_prob_pairs(outputs, images)
    assert pairs.shape == (6, 4)
    for m in range(4):
        one = likelihood.log_prob(outputs[m].expand_as(images), images)
        torch.testing.assert_close(pairs[:, m], one, rtol=1e-5, atol=1e-5)


def test_optimal_variance_has_the_gradient_of_half_p_log_mse():
    images = draw(7, 1, 3, 4, seed=1)
    outputs = draw(7, 1, 3, 4).requires_grad_()
    likelihood = Gaussian(mode="optimal").double().train()
    (found,) = torch.autograd.grad(-likelihood.log_prob(outputs, images).sum(), outputs)
    closed_form = 7 * 0.5 * 12 * (images - outputs).square().mean().log()
    (expected,) = torch.autograd.grad(closed_form, outputs)
    torch.testing.assert_close(found, expected)


@given(st.integers(0, 2**31), st.floats(-3, 3, allow_subnormal=False))
def test_no_other_variance_gives_the_batch_a_higher_likelihood(seed, log_factor):
    outputs, images = draw(7, 1, 3, 4, seed=seed), draw(7, 1, 3, 4, seed=seed + 1)
    best = Gaussian(mode="optimal").double().train().log_prob(outputs, images).sum()
    variance = (images - outputs).square().mean().item() * 2.718281828459045**log_factor
    scale = torch.tensor(variance, dtype=torch.float64).sqrt()
    other = td.Normal(outputs, scale).log_prob(images).sum()
    assert best >= other - 1e-9
    if abs(log_factor) < 1e-6:
        assert best.item() == pytest.approx(other.item())


def test_the_running_variance_settles_at_the_mean_squared_error():
    outputs, images = draw(7, 1, 3, 4), draw(7, 1, 3, 4, seed=1)
    likelihood = Gaussian(mode="optimal").double().train()
    for _ in range(1000):
        likelihood.log_prob(outputs, images)
    mse = (images - outputs).square().mean().item()
    assert likelihood.variance.item() == pytest.approx(mse, rel=1e-6)


def test_the_running_variance_stays_as_it_is_outside_training_and_through_a_file(tmp_path):
    images = torch.rand(7, 1, 4, 4)
    model = small_vae(Gaussian(mode="optimal")).train()
    model.log_prob(images, torch.zeros(7, 2))
    moved = model.likelihood.variance.item()
    assert moved != pytest.approx(0.5)
    model.eval().log_prob(images, torch.zeros(7, 2))
    assert model.likelihood.variance.item() == moved
    torch.save(model.state_dict(), tmp_path / "weights")
    other = small_vae(Gaussian(mode="optimal"))
    other.load_state_dict(torch.load(tmp_path / "weights", weights_only=True))
    assert other.likelihood.variance.item() == moved


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.3])
def test_a_learned_variance_recovers_a_known_noise(sigma):
    clean = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images = clean + sigma * draw(200, 1, 8, 8, seed=1).float()
    likelihood = Gaussian(mode="learned").train()
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(400):
        loss = -likelihood.log_prob(clean, images).mean() / 64
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # The standard error of a variance from n normal draws is the variance times sqrt(2 / n).
    n = images.numel()
    assert likelihood.variance.item() == pytest.approx(
        sigma**2, rel=SIGMAS * (2 / n) ** 0.5 + 1e-3
    )


def test_only_a_learned_variance_is_a_parameter_and_all_are_saved():
    for mode in MODES:
        likelihood = Gaussian(mode=mode)
        assert len(list(likelihood.parameters())) == (mode == "learned")
        assert list(likelihood.state_dict()) == ["log_variance"]


@pytest.mark.parametrize("variance", [0, -1, float("inf"), float("nan")])
def test_a_variance_that_is_none_is_refused(variance):
    with pytest.raises(ValueError, match=rf"variance must be positive and finite, got {variance}"):
        Gaussian(variance)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="'learned', 'optimal' or 'constrained', got 'x'"):
        Gaussian(mode="x")


@pytest.mark.parametrize("tolerance", [0.02, 0.05])
def test_a_constrained_variance_holds_the_error_at_the_tolerance(tolerance):
    """Shrinking the images by k costs (1 - k)^2 of their power and has a price of its own."""
    images = draw(100, 1, 8, 8).float()
    power = images.square().mean().item()
    shrink = torch.zeros((), requires_grad=True)
    likelihood = Gaussian(tolerance, "constrained").train()
    optimizer = torch.optim.SGD([shrink], lr=0.002)
    price = 100 * 64
    for _ in range(4000):
        loss = (-likelihood.log_prob(shrink * images, images).sum() + price * shrink**2) / price
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    error = (1 - shrink.item()) ** 2 * power
    assert error == pytest.approx(tolerance, rel=0.02)
    # There the slopes of the two terms are equal: power (1 - k) / variance = 2 k.
    variance = power * (1 - shrink.item()) / (2 * shrink.item())
    assert likelihood.variance.item() == pytest.approx(variance, rel=0.05)


def test_a_constrained_variance_moves_in_training_only_and_against_the_error():
    images, outputs = torch.zeros(3, 1, 2, 2), torch.full((3, 1, 2, 2), 0.1)
    for tolerance, direction in ((0.005, -1), (0.02, 1)):
        likelihood = Gaussian(tolerance, "constrained").train()
        likelihood.log_variance.zero_()
        likelihood.log_prob(outputs, images)
        moved = likelihood.variance.item()
        assert (moved - 1) * direction > 0
        likelihood.eval().log_prob(outputs, images)
        assert likelihood.variance.item() == moved


def test_a_constrained_variance_stays_above_the_tolerance_while_errors_are_large():
    likelihood = Gaussian(0.01, "constrained").train()
    for _ in range(100):
        likelihood.log_prob(torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2))
    assert likelihood.variance.item() == pytest.approx(0.01)
    likelihood.log_prob(torch.zeros(3, 1, 2, 2), torch.zeros(3, 1, 2, 2))
    assert likelihood.variance.item() > 0.01


# ---------------------------------------------------------------------------------------------
# Sampling and decoding


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.09)])
def test_a_sample_has_the_decoded_mean_and_the_likelihoods_variance(likelihood):
    model = small_vae(likelihood).eval().requires_grad_(False)
    n = 40_000
    z = torch.tensor([[0.7, -1.3]])
    mean = model.decode(z)[0].double()
    draws = model.sample(z.expand(n, 2), torch.Generator().manual_seed(0)).double()
    if isinstance(likelihood, Bernoulli):
        assert set(draws.unique().tolist()) == {0.0, 1.0}
        variance, fourth = mean * (1 - mean), mean * (1 - mean) * (1 - 3 * mean * (1 - mean))
    else:
        variance = torch.full_like(mean, 0.09)
        fourth = 3 * variance**2
    # 16 pixels and two moments: one false alarm in 4,600 seeds.
    errors = (draws.mean(0) - mean) / (variance / n).sqrt()
    assert errors.abs().max() < SIGMAS
    squares = (draws - mean).square().mean(0)
    errors = (squares - variance) / ((fourth - variance**2) / n).sqrt().clamp_min(1e-12)
    assert errors.abs().max() < SIGMAS


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.09)])
def test_one_code_gives_another_image_each_time_but_one_mean(likelihood):
    model = small_vae(likelihood).eval()
    z = torch.zeros(1, 2)
    assert torch.equal(model.decode(z), model.decode(z))
    generator = torch.Generator().manual_seed(0)
    first, second = model.sample(z, generator), model.sample(z, generator)
    assert not torch.equal(first, second)
    assert torch.equal(first, model.sample(z, torch.Generator().manual_seed(0)))


def test_reparameterized_codes_have_the_moments_of_q():
    n = 100_000
    mu, logvar = torch.tensor([[1.5, -0.3]]), torch.tensor([[-1.0, 0.8]])
    z = VAE.reparameterize(
        mu.expand(n, 2), logvar.expand(n, 2), torch.Generator().manual_seed(0)
    ).double()
    variance = logvar[0].exp().double()
    assert ((z.mean(0) - mu[0]) / (variance / n).sqrt()).abs().max() < SIGMAS
    assert ((z.var(0) / variance - 1) / (2 / n) ** 0.5).abs().max() < SIGMAS
    assert abs(torch.corrcoef(z.T)[0, 1]) < SIGMAS / n**0.5


def test_gradients_pass_through_the_draw_to_mean_and_log_variance():
    mu, logvar = draw(6, 3).requires_grad_(), draw(6, 3, seed=1).requires_grad_()
    z = VAE.reparameterize(mu, logvar, torch.Generator().manual_seed(0))
    weights = draw(6, 3, seed=2)
    to_mu, to_logvar = torch.autograd.grad((weights * z).sum(), (mu, logvar))
    torch.testing.assert_close(to_mu, weights)
    # z = mu + exp(logvar / 2) eps, so dz / dlogvar is half of what the noise added.
    torch.testing.assert_close(to_logvar, weights * 0.5 * (z - mu).detach())


def test_encode_returns_means_first_and_log_variances_second():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
    with torch.no_grad():
        encoder[1].weight.zero_()
        encoder[1].bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    decoder = MLPDecoder(2, (), 2)
    mu, logvar = VAE(encoder, decoder, 2, Bernoulli()).encode(torch.zeros(5, 1, 2, 2))
    assert mu.tolist() == 5 * [[1.0, 2.0]]
    assert logvar.tolist() == 5 * [[3.0, 4.0]]
    codes = Autoencoder(encoder, MLPDecoder(4, (), 2), 4, Bernoulli()).encode(
        torch.zeros(5, 1, 2, 2)
    )
    assert codes.tolist() == 5 * [[1.0, 2.0, 3.0, 4.0]]


def test_an_encoder_of_the_wrong_width_is_refused():
    with pytest.raises(ValueError, match=r"must return \[N, 6\] for latent_dim = 3, got \[5, 3\]"):
        VAE(MLPEncoder(3), MLPDecoder(3), 3, Bernoulli()).encode(torch.zeros(5, 1, 28, 28))
    with pytest.raises(ValueError, match=r"must return \[N, 3\] for latent_dim = 3, got \[5, 6\]"):
        Autoencoder(MLPEncoder(6), MLPDecoder(3), 3, Bernoulli()).encode(torch.zeros(5, 1, 28, 28))
    with pytest.raises(ValueError, match="latent_dim must be at least 1, got 0"):
        VAE(MLPEncoder(2), MLPDecoder(1), 0, Bernoulli())
