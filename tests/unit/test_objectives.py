"""The objectives against quadrature, torch.distributions, mpmath and a linear-Gaussian VAE."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from torch import distributions as td

from vaebook import objectives
from vaebook.models import VAE, Autoencoder, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5

SEED = st.integers(0, 2**31)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_gaussian(dim, seed, batch=()):
    root = draw(*batch, dim, dim, seed=seed)
    covariance = root @ root.mT / dim + 0.05 * torch.eye(dim, dtype=torch.float64)
    return draw(*batch, dim, seed=seed + 1), covariance


def torch_kl(mu_q, cov_q, mu_p, cov_p):
    return td.kl_divergence(td.MultivariateNormal(mu_q, cov_q), td.MultivariateNormal(mu_p, cov_p))


# ---------------------------------------------------------------------------------------------
# The diagonal Gaussian from the standard normal


@given(SEED, st.integers(1, 30), st.floats(1e-3, 5))
def test_kl_divergence_is_torchs(seed, dim, scale):
    mu, logvar = scale * draw(4, dim, seed=seed), scale * draw(4, dim, seed=seed + 1)
    q = td.Independent(td.Normal(mu, (0.5 * logvar).exp()), 1)
    p = td.Independent(td.Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    torch.testing.assert_close(objectives.kl_divergence(mu, logvar), td.kl_divergence(q, p))


@pytest.mark.parametrize(("mu", "logvar"), [(0.0, 0.0), (1.5, -2.0), (-0.7, 1.2), (0.1, -6.0)])
def test_kl_divergence_is_its_defining_integral(mu, logvar):
    sigma = math.exp(0.5 * logvar)

    def integrand(t):
        z = mu + sigma * t
        log_q = -0.5 * t * t - 0.5 * logvar
        return math.exp(-0.5 * t * t) / math.sqrt(2 * math.pi) * (log_q + 0.5 * z * z)

    expected, _ = integrate.quad(integrand, -12, 12, epsabs=1e-12)
    found = objectives.kl_divergence(torch.tensor([[mu]]).double(), torch.tensor([[logvar]]))
    assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-6])
def test_kl_divergence_keeps_its_digits_near_the_prior(size):
    mu, logvar = torch.tensor([[size]]).double(), torch.tensor([[-0.7 * size]]).double()
    with mpmath.workdps(50):
        m, v = mpmath.mpf(mu.item()), mpmath.mpf(logvar.item())
        expected = (m**2 + mpmath.exp(v) - 1 - v) / 2
        # At 1e-6 the textbook form, exp(v) - 1 - v, is left with three digits of these.
        error = abs(mpmath.mpf(objectives.kl_divergence(mu, logvar).item()) / expected - 1)
    assert error < 1e-15 / size


def test_kl_divergence_of_single_precision_codes_is_not_negative_near_the_prior():
    generator = torch.Generator().manual_seed(0)
    logvar = 1e-4 * torch.randn(1000, 16, generator=generator)
    exact = objectives.kl_divergence(torch.zeros(1000, 16).double(), logvar.double())
    found = objectives.kl_divergence(torch.zeros(1000, 16), logvar)
    assert (found >= 0).all()
    # Half a unit in the last place of 1e-4 for each dimension; that of 1 would be 6e-8.
    assert (found - exact).abs().max() < 16 * 1e-11


def test_kl_divergence_refuses_shapes_that_differ():
    with pytest.raises(ValueError, match=r"one shape, got \[4, 2\] and \[4, 1\]"):
        objectives.kl_divergence(torch.zeros(4, 2), torch.zeros(4, 1))


# ---------------------------------------------------------------------------------------------
# Two Gaussians with full covariances


@given(SEED, st.integers(1, 8))
def test_gaussian_kl_is_torchs(seed, dim):
    q, p = random_gaussian(dim, seed), random_gaussian(dim, seed + 7)
    torch.testing.assert_close(objectives.gaussian_kl(*q, *p), torch_kl(*q, *p))


@given(SEED, st.integers(1, 5))
def test_gaussian_kl_is_zero_only_between_equals(seed, dim):
    q, p = random_gaussian(dim, seed), random_gaussian(dim, seed + 7)
    assert objectives.gaussian_kl(*q, *q).abs() < 1e-10
    assert objectives.gaussian_kl(*q, *p) > 0


@given(SEED, st.integers(1, 5))
def test_gaussian_kl_does_not_change_under_an_affine_map(seed, dim):
    (mu_q, cov_q), (mu_p, cov_p) = random_gaussian(dim, seed), random_gaussian(dim, seed + 7)
    a = draw(dim, dim, seed=seed + 11) + 3 * torch.eye(dim, dtype=torch.float64)
    b = draw(dim, seed=seed + 13)
    mapped = objectives.gaussian_kl(a @ mu_q + b, a @ cov_q @ a.T, a @ mu_p + b, a @ cov_p @ a.T)
    expected = objectives.gaussian_kl(mu_q, cov_q, mu_p, cov_p)
    torch.testing.assert_close(mapped, expected, rtol=1e-6, atol=1e-8)


@given(SEED, st.integers(1, 8))
def test_gaussian_kl_of_a_diagonal_from_the_standard_normal_is_kl_divergence(seed, dim):
    mu, logvar = draw(3, dim, seed=seed), draw(3, dim, seed=seed + 1)
    zero, one = torch.zeros(dim).double(), torch.eye(dim).double()
    found = objectives.gaussian_kl(mu, torch.diag_embed(logvar.exp()), zero, one)
    torch.testing.assert_close(found, objectives.kl_divergence(mu, logvar))


@pytest.mark.parametrize("seed", range(4))
def test_gaussian_kl_is_its_defining_integral_on_the_line(seed):
    (mu_q, cov_q), (mu_p, cov_p) = random_gaussian(1, seed), random_gaussian(1, seed + 7)
    q = td.Normal(mu_q.item(), cov_q.sqrt().item())
    p = td.Normal(mu_p.item(), cov_p.sqrt().item())

    def integrand(z):
        z = torch.tensor(z, dtype=torch.float64)
        return (q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z))).item()

    centre, width = mu_q.item(), 12 * cov_q.sqrt().item()
    expected, _ = integrate.quad(integrand, centre - width, centre + width, epsabs=1e-10)
    assert objectives.gaussian_kl(mu_q, cov_q, mu_p, cov_p).item() == pytest.approx(
        expected, rel=1e-6
    )


@pytest.mark.parametrize("seed", range(4))
def test_gaussian_kl_is_its_defining_integral_in_the_plane(seed):
    (mu_q, cov_q), (mu_p, cov_p) = random_gaussian(2, seed), random_gaussian(2, seed + 7)
    q, p = td.MultivariateNormal(mu_q, cov_q), td.MultivariateNormal(mu_p, cov_p)
    # The trapezoid rule converges geometrically for a smooth integrand that vanishes at the ends.
    axis = torch.linspace(-10, 10, 401, dtype=torch.float64)
    root = torch.linalg.cholesky(cov_q)
    z = mu_q + torch.cartesian_prod(axis, axis) @ root.T
    cell = (axis[1] - axis[0]) ** 2 * root.diagonal().prod()
    log_q = q.log_prob(z)
    expected = (log_q.exp() * (log_q - p.log_prob(z))).sum() * cell
    torch.testing.assert_close(objectives.gaussian_kl(mu_q, cov_q, mu_p, cov_p), expected)


def test_gaussian_kl_broadcasts_its_batches():
    mu_q, cov_q = random_gaussian(3, 0, (5, 1))
    mu_p, cov_p = random_gaussian(3, 2, (4,))
    found = objectives.gaussian_kl(mu_q, cov_q, mu_p, cov_p)
    assert found.shape == (5, 4)
    for i in range(5):
        for j in range(4):
            expected = torch_kl(mu_q[i, 0], cov_q[i, 0], mu_p[j], cov_p[j])
            torch.testing.assert_close(found[i, j], expected)


@pytest.mark.parametrize("which", ["q", "p"])
def test_gaussian_kl_refuses_what_is_no_covariance(which):
    mean, good = torch.zeros(2), torch.eye(2)
    for bad, said in (
        (torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "positive definite"),
        (torch.tensor([[1.0, 0.5], [0.2, 1.0]]), "symmetric"),
        (torch.zeros(2, 2), "positive definite"),
        (torch.full((2, 2), float("nan")), "symmetric"),
    ):
        covs = {"cov_q": good, "cov_p": good} | {f"cov_{which}": bad}
        with pytest.raises(ValueError, match=rf"cov_{which} must be {said}, got"):
            objectives.gaussian_kl(mean, covs["cov_q"], mean, covs["cov_p"])


def test_gaussian_kl_refuses_shapes_that_do_not_fit():
    two, three = (torch.zeros(2), torch.eye(2)), (torch.zeros(3), torch.eye(3))
    with pytest.raises(ValueError, match=r"mu_p must be \[..., 2\] and cov_p \[..., 2, 2\]"):
        objectives.gaussian_kl(*two, *three)
    with pytest.raises(ValueError, match=r"cov_q \[..., 2, 2\], got \[2\] and \[3, 3\]"):
        objectives.gaussian_kl(two[0], three[1], *two)


# ---------------------------------------------------------------------------------------------
# The ELBO


def mean_and_error(values):
    return values.mean().item(), values.std().item() / len(values) ** 0.5


@pytest.mark.parametrize("latent_dim", [1, 2, 3])
def test_the_elbo_is_log_p_where_q_is_the_posterior(linear_gaussian, latent_dim):
    case = linear_gaussian(latent_dim)
    for image in case.images(3):
        repeated = image.expand(40_000, 1, 3, 3)
        terms = objectives.negative_elbo(case.model, repeated, generator=torch.Generator().manual_seed(0))
        mean, error = mean_and_error(-terms["loss"])
        assert abs(mean - case.log_p(image[None]).item()) < SIGMAS * error
        assert error < 0.02


@pytest.mark.parametrize(
    "settings",
    [
        {"shift": 0.4},
        {"stretch": 3.0},
        {"shift": -0.3, "stretch": 0.2},
        {"orthogonal": False},
        {"orthogonal": False, "shift": 0.2, "stretch": 1.7},
    ],
)
def test_the_elbo_misses_log_p_by_the_kl_from_the_posterior(linear_gaussian, settings):
    case = linear_gaussian(2, **settings)
    for image in case.images(2):
        mu, logvar = case.model.encode(image[None])
        q = td.MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
        gap = td.kl_divergence(q, case.posterior(image[None])).item()
        assert gap > 0.01
        repeated = image.expand(40_000, 1, 3, 3)
        terms = objectives.negative_elbo(case.model, repeated, generator=torch.Generator().manual_seed(0))
        mean, error = mean_and_error(-terms["loss"])
        assert abs(mean - (case.log_p(image[None]).item() - gap)) < SIGMAS * error
        assert error < 0.1


def test_the_elbo_has_its_greatest_value_at_the_posterior(linear_gaussian):
    exact = linear_gaussian(2)
    images = exact.images(2000)

    def value(**settings):
        model = linear_gaussian(2, **settings).model
        generator = torch.Generator().manual_seed(0)
        return objectives.negative_elbo(model, images, generator=generator)["loss"].mean().item()

    best = value()
    for settings in ({"shift": 0.3}, {"shift": -0.3}, {"stretch": 0.5}, {"stretch": 2.0}):
        assert value(**settings) > best + 0.05


@given(st.floats(0, 20, allow_subnormal=False))
def test_beta_weighs_the_kl_and_nothing_else(linear_gaussian, beta):
    case = linear_gaussian(2, shift=0.2)
    images = case.images(5)
    terms = objectives.negative_elbo(case.model, images, beta, generator=torch.Generator().manual_seed(0))
    mu, logvar = case.model.encode(images)
    z = case.model.reparameterize(mu, logvar, torch.Generator().manual_seed(0))
    noise = td.Normal(case.model.decode(z), case.variance**0.5)
    expected = -td.Independent(noise, 3).log_prob(images)
    torch.testing.assert_close(terms["reconstruction"], expected)
    torch.testing.assert_close(terms["kl"], objectives.kl_divergence(mu, logvar))
    torch.testing.assert_close(terms["loss"], expected + beta * terms["kl"])
    assert {name: term.shape for name, term in terms.items()} == dict.fromkeys(
        ("loss", "reconstruction", "kl"), (5,)
    )


def test_the_elbos_gradient_is_that_of_its_mean(linear_gaussian):
    """The reparameterised gradient, averaged, against the derivative of the closed form."""
    case = linear_gaussian(1, shift=0.3)
    (image,) = case.images(1)
    mean = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    mu, logvar = case.model.encode(image[None])
    n = 40_000
    z = case.model.reparameterize(
        (mu + mean).expand(n, 1), logvar.expand(n, 1), torch.Generator().manual_seed(0)
    )
    log_likelihood = case.model.log_prob(image.expand(n, 1, 3, 3), z)
    kl = objectives.kl_divergence(mu + mean, logvar)
    (gradient,) = torch.autograd.grad((log_likelihood - kl).mean(), mean)
    # ELBO = const - (mu - m)^2 / 2v with the posterior N(m, v).
    posterior = case.posterior(image[None])
    m, v = posterior.mean.item(), posterior.covariance_matrix.item()
    expected = -(mu.item() - m) / v
    # A draw's gradient has the standard deviation (1/v - 1) sigma, sigma^2 that of q.
    error = (1 / v - 1) * math.exp(0.5 * logvar.item()) / n**0.5
    assert abs(gradient.item() - expected) < SIGMAS * error
    assert error < 0.05 * abs(expected)


def test_the_elbo_repeats_itself_with_its_generator(linear_gaussian):
    case = linear_gaussian(2)
    images = case.images(5)

    def loss(seed):
        return objectives.negative_elbo(case.model, images, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(loss(0)["loss"], loss(0)["loss"])
    assert not torch.equal(loss(0)["loss"], loss(1)["loss"])


def test_reconstruction_only_is_the_cross_entropy_of_the_decoded_code():
    torch.manual_seed(0)
    model = Autoencoder(MLPEncoder(2, (8,), 4), MLPDecoder(2, (8,), 4), 2, Bernoulli())
    images = torch.rand(5, 1, 4, 4)
    x, p = images.numpy().reshape(5, 16), model.decode(model.encode(images))
    p = p.detach().numpy().reshape(5, 16)
    expected = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(1)
    terms = objectives.reconstruction_only(model, images)
    assert list(terms) == ["loss"]
    np.testing.assert_allclose(terms["loss"].detach().numpy(), expected, rtol=1e-5)


# ---------------------------------------------------------------------------------------------
# A prior that depends on the image, a decoder that is told the class


def brightness(images):
    return images.flatten(1).mean(1)


@pytest.mark.parametrize("rate", [-2.0, 0.0, 0.5, 7.0])
def test_the_anchored_kl_is_torchs_from_the_shifted_prior(linear_gaussian, rate):
    case = linear_gaussian(2, stretch=3.0)
    images = case.images(6)
    terms = objectives.anchored(
        case.model, images, rate, brightness, generator=torch.Generator().manual_seed(0)
    )
    mu, logvar = case.model.encode(images)
    q = td.Independent(td.Normal(mu, (0.5 * logvar).exp()), 1)
    centre = -rate * brightness(images)[:, None] * torch.ones(2, dtype=torch.float64)
    prior = td.Independent(td.Normal(centre, 1.0), 1)
    torch.testing.assert_close(terms["kl"], td.kl_divergence(q, prior))
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + terms["kl"])
    plain = objectives.negative_elbo(case.model, images, generator=torch.Generator().manual_seed(0))
    assert torch.equal(terms["reconstruction"], plain["reconstruction"])
    assert torch.equal(terms["kl"], plain["kl"]) == (rate == 0)


def test_a_higher_score_pulls_the_code_to_lower_coordinates():
    """With nothing to reconstruct, the best mean is -rate * score."""
    mu = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    score, rate = torch.tensor([0.4], dtype=torch.float64), 5.0
    kl = objectives.kl_divergence(mu + rate * score[:, None], torch.zeros_like(mu))
    (gradient,) = torch.autograd.grad(kl.sum(), mu)
    # A step against the gradient: down by rate * score, all dimensions alike.
    torch.testing.assert_close(-gradient, torch.full_like(mu, -2.0))


def test_a_class_is_appended_as_a_one_hot_vector():
    z = draw(3, 2)
    found = objectives.with_class(z, torch.tensor([2, 0, 1]), 3)
    assert torch.equal(found[:, :2], z)
    assert found[:, 2:].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert found.dtype == z.dtype
    with pytest.raises(ValueError, match=r"labels must lie in 0 to 2, got 0 to 3"):
        objectives.with_class(z, torch.tensor([0, 1, 3]), 3)
    with pytest.raises(ValueError, match=r"labels must be \[3\], one a code, got \[2\]"):
        objectives.with_class(z, torch.tensor([0, 1]))


def test_the_conditional_elbo_is_that_of_a_vae_with_the_class_in_its_bias():
    """The one-hot columns of a linear decoder are a bias for each class."""
    torch.manual_seed(0)
    conditional = VAE(MLPEncoder(4, (8,), 4), MLPDecoder(5, (), 4), 2, Bernoulli())
    images, labels = torch.rand(9, 1, 4, 4), torch.arange(9) % 3
    found = objectives.conditional_elbo(
        conditional, images, labels=labels, generator=torch.Generator().manual_seed(0)
    )
    weight, bias = conditional.decoder.layers[0].weight, conditional.decoder.layers[0].bias
    mu, logvar = conditional.encode(images)
    z = conditional.reparameterize(mu, logvar, torch.Generator().manual_seed(0))
    logits = z @ weight[:, :2].T + weight[:, 2 + labels].T + bias
    log_p = td.Bernoulli(logits=logits, validate_args=False).log_prob(images.flatten(1)).sum(1)
    torch.testing.assert_close(found["reconstruction"], -log_p)
    torch.testing.assert_close(found["kl"], objectives.kl_divergence(mu, logvar))
    torch.testing.assert_close(found["loss"], found["kl"] - log_p)
