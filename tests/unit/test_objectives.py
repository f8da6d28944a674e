"""The objectives against quadrature, torch.distributions, mpmath and a linear-Gaussian VAE."""

import itertools
import math
from functools import cache, partial

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from torch import distributions as td

from tests.unit.kinds import LIKELIHOODS
from vaebook import objectives
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.models import (
    VAE,
    Autoencoder,
    Bernoulli,
    Classifier,
    Gaussian,
)
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift, DiagonalNormal, FullNormal, Mixture

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5

SEED = st.integers(0, 2**31)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(images, labels=None):
    """A batch as `fit` makes it; of single precision, as all image sets."""
    return ImageSet(images.float(), labels, in_unit_range=False)


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
    logvar = 1e-4 * torch.randn(1000, 16, generator=generator())
    exact = objectives.kl_divergence(torch.zeros(1000, 16).double(), logvar.double())
    found = objectives.kl_divergence(torch.zeros(1000, 16), logvar)
    assert (found >= 0).all()
    # Half a unit in the last place of 1e-4 for each dimension; that of 1 would be 6e-8.
    assert (found - exact).abs().max() < 16 * 1e-11


def test_kl_divergence_refuses_shapes_that_differ():
    for logvar in (torch.zeros(4, 1), torch.zeros(2), torch.zeros(4, 2).long()):
        with pytest.raises(ValueError, match=r"logvar must be a float tensor \[4, 2\]"):
            objectives.kl_divergence(torch.zeros(4, 2), logvar)


def test_the_kl_is_the_sum_over_its_latents():
    mu, logvar = draw(4, 3), draw(4, 3, seed=1)
    each = objectives.kl_per_latent(mu, logvar)
    assert each.shape == (4, 3)
    for j in range(3):
        one = objectives.kl_divergence(mu[:, j : j + 1], logvar[:, j : j + 1])
        torch.testing.assert_close(each[:, j], one)
    torch.testing.assert_close(each.sum(1), objectives.kl_divergence(mu, logvar))


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
        (torch.full((2, 2), float("nan")), "finite"),
    ):
        covs = {"cov_q": good, "cov_p": good} | {f"cov_{which}": bad}
        with pytest.raises(ValueError, match=rf"cov_{which} must be {said}, got"):
            objectives.gaussian_kl(mean, covs["cov_q"], mean, covs["cov_p"])


def test_gaussian_kl_refuses_shapes_that_do_not_fit():
    two, three = (torch.zeros(2), torch.eye(2)), (torch.zeros(3), torch.eye(3))
    with pytest.raises(ValueError, match=r"mu_p must be a float tensor \[\.\.\., 2\]"):
        objectives.gaussian_kl(*two, *three)
    with pytest.raises(ValueError, match=r"cov_q must be a float tensor \[\.\.\., 2, 2\]"):
        objectives.gaussian_kl(two[0], three[1], *two)
    with pytest.raises(ValueError, match="must broadcast"):
        objectives.gaussian_kl(torch.zeros(3, 2), two[1], torch.zeros(4, 2), two[1])


def test_gaussian_kl_keeps_its_digits_at_a_correlation_near_one():
    rho = 1 - 1e-6
    q = torch.tensor([[1.0, rho], [rho, 1.0]])
    mean, one = torch.zeros(2), torch.eye(2)
    with mpmath.workdps(40):
        r = mpmath.mpf(q[0, 1].item())
        expected = float(-mpmath.log(1 - r**2) / 2)
    assert objectives.gaussian_kl(mean, q, mean, one).item() == pytest.approx(expected, rel=1e-6)


def test_gaussian_kl_is_differentiable_in_all_four():
    gaussians = (random_gaussian(2, 0), random_gaussian(2, 7))
    arguments = [value.requires_grad_() for gaussian in gaussians for value in gaussian]

    def kl(mu_q, cov_q, mu_p, cov_p):
        # Symmetric, as the entries are moved one by one.
        return objectives.gaussian_kl(mu_q, (cov_q + cov_q.mT) / 2, mu_p, (cov_p + cov_p.mT) / 2)

    assert torch.autograd.gradcheck(kl, arguments)


# ---------------------------------------------------------------------------------------------
# The ELBO


def mean_and_error(values):
    return values.mean().item(), values.std().item() / len(values) ** 0.5


@pytest.mark.parametrize("latent_dim", [1, 2, 3])
def test_the_elbo_is_log_p_where_q_is_the_posterior(linear_gaussian, latent_dim):
    case = linear_gaussian(latent_dim)
    for image in case.images(3):
        repeated = batch_of(image.expand(40_000, 1, 3, 3))
        terms = objectives.negative_elbo(case.model, repeated, generator=generator())
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
        repeated = batch_of(image.expand(40_000, 1, 3, 3))
        terms = objectives.negative_elbo(case.model, repeated, generator=generator())
        mean, error = mean_and_error(-terms["loss"])
        assert abs(mean - (case.log_p(image[None]).item() - gap)) < SIGMAS * error
        assert error < 0.1


def test_the_elbo_has_its_greatest_value_at_the_posterior(linear_gaussian):
    exact = linear_gaussian(2)
    images = batch_of(exact.images(2000))

    def value(**settings):
        model = linear_gaussian(2, **settings).model
        terms = objectives.negative_elbo(model, images, generator=generator())
        return terms["loss"].mean().item()

    best = value()
    for settings in ({"shift": 0.3}, {"shift": -0.3}, {"stretch": 0.5}, {"stretch": 2.0}):
        assert value(**settings) > best + 0.05


@given(st.floats(0, 20, allow_subnormal=False))
def test_beta_weighs_the_kl_and_nothing_else(linear_gaussian, beta):
    case = linear_gaussian(2, shift=0.2)
    images = case.images(5).float()
    batch = batch_of(images)
    terms = objectives.negative_elbo(case.model, batch, beta=beta, generator=generator())
    mu, logvar = case.model.encode(images)
    z = case.model.reparameterize(mu, logvar, generator())
    noise = td.Normal(case.model.decode(z), case.variance**0.5)
    expected = -td.Independent(noise, 3).log_prob(images.double())
    torch.testing.assert_close(terms["reconstruction"], expected)
    torch.testing.assert_close(terms["kl"], objectives.kl_divergence(mu, logvar))
    torch.testing.assert_close(terms["loss"], expected + beta * terms["kl"])
    assert {name: term.shape for name, term in terms.items()} == dict.fromkeys(
        ("loss", "reconstruction", "kl", "mse"), (5,)
    )


def test_the_elbos_gradient_is_that_of_its_mean(linear_gaussian):
    """The reparameterised gradient, averaged, against the derivative of the closed form."""
    case = linear_gaussian(1, shift=0.3)
    (image,) = case.images(1)
    mean = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    mu, logvar = case.model.encode(image[None])
    n = 40_000
    z = case.model.reparameterize((mu + mean).expand(n, 1), logvar.expand(n, 1), generator())
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
    batch = batch_of(case.images(5))

    def loss(seed):
        return objectives.negative_elbo(case.model, batch, generator=generator(seed))

    assert torch.equal(loss(0)["loss"], loss(0)["loss"])
    assert not torch.equal(loss(0)["loss"], loss(1)["loss"])


@pytest.mark.parametrize("progress", [0.0, 0.25, 1.0])
def test_a_beta_that_is_a_function_is_asked_for_the_progress(linear_gaussian, progress):
    case = linear_gaussian(2, shift=0.2)
    batch = batch_of(case.images(5))
    asked = []

    def warm_up(share):
        asked.append(share)
        return min(1.0, 2 * share)

    found = objectives.negative_elbo(
        case.model, batch, beta=warm_up, generator=generator(), progress=progress
    )
    fixed = objectives.negative_elbo(
        case.model, batch, beta=min(1.0, 2 * progress), generator=generator()
    )
    assert asked == [progress]
    assert torch.equal(found["loss"], fixed["loss"])


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf"), "1", None, lambda _: -0.1])
def test_a_beta_that_is_no_weight_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be a finite number in"):
        objectives.negative_elbo(small(), some(), beta=beta)


# ---------------------------------------------------------------------------------------------
# All objectives


def small(kind=VAE, likelihood=Bernoulli, shape=(1, 4, 4), n_classes=0, prior=None):
    torch.manual_seed(0)
    encoder = MLPEncoder(4 if kind is VAE else 2, (8,), shape)
    decoder = MLPDecoder(2 + n_classes, (8,), shape)
    if kind is VAE:
        return VAE(encoder, decoder, 2, likelihood(), prior, n_classes)
    return kind(encoder, decoder, 2, likelihood())


def some(n=5, shape=(1, 4, 4), n_classes=3):
    return ImageSet(torch.rand(n, *shape, generator=generator()), torch.arange(n) % n_classes)


def classifier(shape=(1, 4, 4)):
    torch.manual_seed(0)
    return Classifier(MLPEncoder(6, (8,), shape), 6, 3)


AGGREGATE = [
    partial(objectives.beta_tc, n_images=100, beta=4.0),
    partial(objectives.dip, off_diagonal=5.0, diagonal=2.0),
    partial(objectives.info_vae, scale=50.0),
]
PAIRS = [
    *((objectives.negative_elbo, lambda k=k, **s: small(VAE, k, **s)) for k in LIKELIHOODS),
    *(
        (objectives.reconstruction_only, lambda k=k, **s: small(Autoencoder, k, **s))
        for k in LIKELIHOODS
    ),
    *((objective, small) for objective in AGGREGATE),
    (objectives.cross_entropy, classifier),
]


def test_reconstruction_only_is_the_cross_entropy_of_the_decoded_code():
    model, batch = small(Autoencoder), some()
    x, p = batch.images.numpy().reshape(5, 16), model.decode(model.encode(batch.images))
    p = p.detach().numpy().reshape(5, 16)
    expected = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(1)
    terms = objectives.reconstruction_only(model, batch)
    assert list(terms) == ["loss"]
    np.testing.assert_allclose(terms["loss"].detach().numpy(), expected, rtol=1e-5)


def test_cross_entropy_is_the_log_of_the_softmax_at_the_label():
    model, batch = classifier(), some()
    with torch.no_grad():
        logits = model(batch.images).double().numpy()
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    terms = objectives.cross_entropy(model, batch)
    assert list(terms) == ["loss"]
    expected = -log_p[np.arange(5), batch.labels.numpy()]
    np.testing.assert_allclose(terms["loss"].detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(("objective", "make"), PAIRS)
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 5, 8)])
def test_terms_are_one_number_an_image_and_gradients_reach_all_that_learns(objective, make, shape):
    model, batch = make(shape=shape), some(7, shape)
    terms = objective(model, batch, generator=generator(), progress=0.5)
    assert all(term.shape == (7,) for term in terms.values())
    terms["loss"].mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("objective", "make"), PAIRS)
def test_an_objective_changes_nothing_in_the_model(objective, make):
    model, batch = make().train(), some()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    first = objective(model, batch, generator=generator(), progress=0.0)
    again = objective(model, batch, generator=generator(), progress=0.0)
    for name, term in first.items():
        assert torch.equal(term, again[name])
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("objective", "make"), PAIRS)
def test_terms_keep_single_precision_under_autocast(objective, make):
    model, batch = make(), some(64)
    exact = objective(model, batch, generator=generator(), progress=1.0)
    with torch.autocast("cpu", torch.bfloat16):
        terms = objective(model, batch, generator=generator(), progress=1.0)
    for name, term in terms.items():
        assert term.dtype == torch.float32, name
        # Networks in half precision are good to 1 / 256 a layer.
        torch.testing.assert_close(term, exact[name], rtol=0.1, atol=0.2)
    if "kl" in terms:
        parts = terms["reconstruction"].double() + terms["kl"].double()
        parts = parts + terms.get("penalty", torch.zeros(())).double()
        parts = parts + 3 * terms.get("total_correlation", torch.zeros(())).double()
        torch.testing.assert_close(terms["loss"].double(), parts, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("objective", "make"), PAIRS)
def test_a_model_of_double_precision_has_terms_of_it(objective, make):
    model, batch = make(), some()
    single = objective(model, batch, generator=generator(), progress=1.0)
    model.double()
    terms = objective(model, batch, generator=generator(), progress=1.0)
    assert list(terms) == list(single)
    assert all(term.dtype == torch.float64 for term in terms.values())


def test_convolutional_models_of_any_shape_are_trained_alike():
    for shape in ((1, 28, 28), (3, 20, 13)):
        torch.manual_seed(0)
        model = VAE(
            ConvEncoder(4, (4, 4), shape=shape), ConvDecoder(2, shape=shape), 2, Bernoulli()
        )
        terms = objectives.negative_elbo(model, some(3, shape), generator=generator())
        assert terms["loss"].shape == (3,)
        assert terms["loss"].isfinite().all()


@pytest.mark.parametrize(("objective", "make"), PAIRS)
def test_what_is_no_batch_or_no_model_of_its_kind_is_refused(objective, make):
    model, batch = make(), some()
    for bad in (batch.images, (batch.images, batch.labels), None):
        with pytest.raises(ValueError, match="batch must be an ImageSet"):
            objective(model, bad, generator=None, progress=1.0)
    other = classifier() if objective is not objectives.cross_entropy else small()
    with pytest.raises(ValueError, match="model must be"):
        objective(other, batch, generator=None, progress=1.0)
    with pytest.raises(ValueError, match="images must be"):
        objective(model, some(5, (1, 5, 5)), generator=None, progress=1.0)


def test_an_autoencoder_of_two_images_is_not_taken_for_a_vae():
    with pytest.raises(ValueError, match="model must be"):
        objectives.negative_elbo(small(Autoencoder), some(2))


def test_a_bernoulli_model_refuses_standardised_images_and_a_gaussian_takes_them():
    batch = ImageSet(3 * draw(5, 1, 4, 4).float(), in_unit_range=False)
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        objectives.negative_elbo(small(), batch)
    assert objectives.negative_elbo(small(likelihood=Gaussian), batch)["loss"].isfinite().all()


def test_cross_entropy_needs_labels_that_are_classes():
    with pytest.raises(ValueError, match="batch must have labels"):
        objectives.cross_entropy(classifier(), ImageSet(some().images))
    with pytest.raises(ValueError, match="labels must lie in 0 to 2, got 3"):
        objectives.cross_entropy(classifier(), some(n_classes=4))


# ---------------------------------------------------------------------------------------------
# Other priors, a decoder that is told the class


def brightness(images):
    return images.flatten(1).mean(1)


@pytest.mark.parametrize("rate", [-2.0, 0.0, 0.5, 7.0])
def test_the_kl_of_a_shifted_prior_is_torchs(linear_gaussian, rate):
    case = linear_gaussian(2, stretch=3.0)
    batch = batch_of(case.images(6))
    plain = objectives.negative_elbo(case.model, batch, generator=generator())
    case.model.prior = ConditionalShift(2, rate, brightness)
    terms = objectives.negative_elbo(case.model, batch, generator=generator())
    mu, logvar = case.model.encode(batch.images)
    q = td.Independent(td.Normal(mu, (0.5 * logvar).exp()), 1)
    centre = -rate * brightness(batch.images)[:, None].double() * torch.ones(2).double()
    prior = td.Independent(td.Normal(centre, 1.0), 1)
    # The score of single-precision images is one too.
    expected = td.kl_divergence(q, prior)
    torch.testing.assert_close(terms["kl"], expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + terms["kl"])
    assert torch.equal(terms["reconstruction"], plain["reconstruction"])
    assert torch.equal(terms["kl"], plain["kl"]) == (rate == 0)


@pytest.mark.parametrize(
    "prior",
    [
        DiagonalNormal(draw(2).float(), draw(2, seed=1).float()),
        FullNormal(draw(2).float(), torch.tensor([[1.0, 0.6], [0.6, 2.0]])),
        Mixture(draw(4, 2).float(), draw(4, 2, seed=1).float()),
    ],
)
def test_the_elbo_measures_from_the_models_own_prior(prior):
    model, batch = small(prior=prior), some(2000)
    terms = objectives.negative_elbo(model, batch, generator=generator())
    with torch.no_grad():
        mu, logvar = model.encode(batch.images)
        kl = prior.kl(mu, logvar, n_samples=200, generator=generator(1))
        gap = terms["kl"] - kl
    # The closed forms agree to rounding, a drawn one on average.
    assert gap.mean().abs() <= SIGMAS * gap.std() / len(gap) ** 0.5 + 1e-5
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + terms["kl"])


def test_the_elbo_of_a_conditional_vae_is_that_of_its_decoder_with_the_label():
    model, batch = small(n_classes=3), some(9)
    found = objectives.negative_elbo(model, batch, generator=generator())
    mu, logvar = model.encode(batch.images)
    z = model.reparameterize(mu, logvar, generator())
    told = torch.eye(3)[batch.labels]
    logits = model.decoder(torch.cat([z, told], 1))
    log_p = td.Bernoulli(logits=logits, validate_args=False).log_prob(batch.images)
    torch.testing.assert_close(found["reconstruction"], -log_p.sum((1, 2, 3)))
    torch.testing.assert_close(found["kl"], objectives.kl_divergence(mu, logvar))
    with pytest.raises(ValueError, match="labels must be the class of each code"):
        objectives.negative_elbo(model, ImageSet(batch.images))


# ---------------------------------------------------------------------------------------------
# Prices on the mixture of all codes


class Given(torch.nn.Module):
    """An encoder that returns the codes it was made with, whatever the images."""

    def __init__(self, mu, logvar):
        super().__init__()
        self.codes = torch.cat([mu, logvar], dim=1)

    def forward(self, images):
        return self.codes


def noise(seed=0):
    """A source of draws that are none of those of the codes."""
    return generator(1000 + seed)


def terms_of(objective, mu, logvar, seed=0):
    """What an objective says of a batch with these codes."""
    n, dim = mu.shape
    model = VAE(Given(mu, logvar), decoder_of(dim, mu.dtype), dim, Bernoulli())
    return objective(model, some(n, (1, 2, 2)), generator=noise(seed), progress=1.0)


@cache
def decoder_of(dim, dtype):
    torch.manual_seed(0)
    return MLPDecoder(dim, (3,), (1, 2, 2)).to(dtype)


def gaussian_codes(n, cov, variance, seed=0):
    """Codes of one variance with means from N(0, cov): their mixture is N(0, cov + variance)."""
    mu = draw(n, len(cov), seed=seed) @ torch.linalg.cholesky(cov).T
    return mu, torch.full_like(mu, math.log(variance))


CORRELATED = torch.tensor([[1.0, 0.8, 0.0], [0.8, 1.5, 0.3], [0.0, 0.3, 0.4]]).double()


@pytest.mark.parametrize("objective", AGGREGATE)
def test_a_conditional_decoder_is_told_the_class(objective):
    model, batch = small(n_classes=3), some(9)
    plain = objectives.negative_elbo(model, batch, generator=generator())
    terms = objective(model, batch, generator=generator())
    for name in ("reconstruction", "kl"):
        assert torch.equal(terms[name], plain[name])


@pytest.mark.parametrize(
    "objective",
    [
        partial(objectives.beta_tc, n_images=100),
        partial(objectives.dip, off_diagonal=0.0, diagonal=0.0),
        partial(objectives.info_vae, scale=1.0),
    ],
)
def test_without_its_price_each_is_the_negative_elbo(objective):
    model, batch = small(likelihood=Gaussian), some(9)
    plain = objectives.negative_elbo(model, batch, generator=generator())
    terms = objective(model, batch, generator=generator())
    for name, term in plain.items():
        assert torch.equal(terms[name], term)


@pytest.mark.slow
def test_the_parts_of_gaussian_codes_are_those_of_gaussians():
    n, variance = 1000, 0.5
    mu, logvar = gaussian_codes(n, CORRELATED, variance)
    found = [
        terms_of(partial(objectives.beta_tc, n_images=n), mu, logvar, seed) for seed in range(3)
    ]
    whole = CORRELATED + variance * torch.eye(3)
    each = whole.diagonal()
    expected = {
        "mutual_information": 0.5 * (torch.logdet(whole) - 3 * math.log(variance)),
        "total_correlation": 0.5 * (each.log().sum() - torch.logdet(whole)),
        "dimension_wise": 0.5 * (each - 1 - each.log()).sum(),
    }
    for name, value in expected.items():
        mean = torch.cat([terms[name] for terms in found]).mean()
        # Standard errors of the draws are below .03; what 1,000 means miss of their Gaussian too.
        assert mean.item() == pytest.approx(value.item(), abs=0.12), name


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_a_batch_that_is_the_data_set_has_the_mixture_of_all_codes(dim):
    n = 40
    mu, logvar = 1.5 * draw(n, dim), draw(n, dim, seed=1) - 1
    terms = terms_of(partial(objectives.beta_tc, n_images=n), mu, logvar)
    z = VAE.reparameterize(mu, logvar, noise())
    weights = td.Categorical(torch.ones(n).double())
    codes = td.Normal(mu, (0.5 * logvar).exp())
    log_q = td.MixtureSameFamily(weights, td.Independent(codes, 1)).log_prob(z)
    log_each = sum(
        td.MixtureSameFamily(weights, td.Normal(mu[:, j], (0.5 * logvar[:, j]).exp())).log_prob(
            z[:, j]
        )
        for j in range(dim)
    )
    own = codes.log_prob(z).sum(1)
    prior = td.Normal(0.0, 1.0).log_prob(z).sum(1)
    torch.testing.assert_close(terms["mutual_information"], own - log_q)
    torch.testing.assert_close(terms["total_correlation"], log_q - log_each)
    torch.testing.assert_close(terms["dimension_wise"], log_each - prior)


@pytest.mark.slow
def test_over_many_draws_the_parts_of_all_codes_are_those_of_kl_parts():
    n, n_draws = 100, 50
    mu, logvar = draw(n, 3), draw(n, 3, seed=1) - 2
    objective = partial(objectives.beta_tc, n_images=n)
    draws = [terms_of(objective, mu, logvar, seed) for seed in range(n_draws)]
    whole = bounds.kl_parts(mu, logvar, n * n_draws, generator(2000))
    for name, expected in whole._asdict().items():
        values = torch.cat([terms[name] for terms in draws])
        mean, error = mean_and_error(values)
        assert abs(mean - expected.item()) < SIGMAS * 2**0.5 * error, name
        assert error < 0.04


def test_the_density_that_a_batch_estimates_is_right_in_the_mean_over_batches():
    n, size = 7, 3
    mu, logvar = draw(n, 2), 0.3 * draw(n, 2, seed=1)
    objective = partial(objectives.beta_tc, n_images=n)
    densities = []
    for others in itertools.combinations(range(1, n), size - 1):
        # Image 0 comes first, and has the same noise in each batch.
        index = [0, *others]
        terms = terms_of(objective, mu[index], logvar[index])
        z = VAE.reparameterize(mu[index], logvar[index], noise())[0]
        own = td.Normal(mu[0], (0.5 * logvar[0]).exp()).log_prob(z).sum()
        densities.append((own - terms["mutual_information"][0]).exp())
    codes = td.Independent(td.Normal(mu, (0.5 * logvar).exp()), 1)
    expected = codes.log_prob(z).exp().mean()
    torch.testing.assert_close(torch.stack(densities).mean(), expected)
    # Jensen's inequality: what is right in the mean is too small in the mean of its logarithm.
    assert torch.stack(densities).log().mean() < expected.log() - 0.01


@pytest.mark.parametrize("n_images", [10, 5000])
def test_a_batch_sees_no_more_information_than_log_n(n_images):
    """Codes that are far apart: each latent alone tells which image it is."""
    mu = 1000.0 * torch.arange(10.0).double()[:, None].expand(10, 3)
    terms = terms_of(partial(objectives.beta_tc, n_images=n_images), mu, torch.zeros_like(mu))
    log_n = torch.full((10,), math.log(n_images)).double()
    torch.testing.assert_close(terms["mutual_information"], log_n)
    torch.testing.assert_close(terms["total_correlation"], 2 * log_n)


def test_the_price_of_dip_is_that_of_the_covariance_of_all_codes():
    white = draw(50, 3)
    white = white - white.mean(0)
    white = torch.linalg.solve_triangular(
        torch.linalg.cholesky(torch.cov(white.T)), white.T, upper=False
    ).T
    mu = 3 + white @ torch.linalg.cholesky(CORRELATED).T  # of exactly this covariance
    logvar = torch.tensor([0.2, 0.5, 1.3]).double().log().expand(50, 3)
    terms = terms_of(partial(objectives.dip, off_diagonal=7.0, diagonal=3.0), mu, logvar)
    expected = 7 * 2 * (0.8**2 + 0.3**2) + 3 * (0.2**2 + 1.0**2 + 0.7**2)
    torch.testing.assert_close(terms["penalty"], torch.full((50,), expected).double())
    torch.testing.assert_close(
        terms["loss"], terms["reconstruction"] + terms["kl"] + terms["penalty"]
    )


def test_dip_has_no_price_on_latents_that_are_silent_or_as_the_prior():
    n = 4
    # Exactly white means in the first two, the prior itself in the third.
    mu = torch.tensor([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [-1.0, -1.0, 0.0]])
    mu = mu * torch.tensor([0.75, 0.75, 1.0]) ** 0.5
    logvar = torch.tensor([-40.0, -40.0, 0.0]).expand(n, 3)
    terms = terms_of(partial(objectives.dip, off_diagonal=1.0, diagonal=1.0), mu, logvar)
    torch.testing.assert_close(terms["penalty"], torch.zeros(n), atol=1e-12, rtol=0)


@pytest.mark.slow
def test_the_square_of_a_batchs_covariance_is_too_large_by_what_is_documented():
    size, n_batches = 6, 1000
    objective = partial(objectives.dip, off_diagonal=1.0, diagonal=0.0)
    mu, logvar = gaussian_codes(size * n_batches, CORRELATED[:2, :2], 0.3)
    found = torch.stack(
        [
            terms_of(objective, *codes)["penalty"][0]
            for codes in zip(mu.split(size), logvar.split(size), strict=True)
        ]
    )
    expected = 2 * (0.8**2 + (1.0 * 1.5 + 0.8**2) / (size - 1))
    mean, error = mean_and_error(found)
    assert abs(mean - expected) < SIGMAS * error
    assert error < 0.15


def closed_mmd(mean, cov):
    """The squared discrepancy of N(mean, cov) and N(0, I), kernel exp(-|z - z'|^2 / 2D)."""
    dim = len(mean)
    one, zero = torch.eye(dim).double(), torch.zeros(dim).double()

    def kernel(shift, total):
        # The kernel is sqrt(2 pi D)^D times a normal density: the two convolve.
        density = td.MultivariateNormal(zero, total + dim * one).log_prob(shift)
        return (density + 0.5 * dim * math.log(2 * math.pi * dim)).exp()

    return kernel(zero, 2 * cov) - 2 * kernel(mean, cov + one) + kernel(zero, 2 * one)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "n_batches"), [(3, 500), (100, 20)])
def test_the_discrepancy_is_without_bias_that_of_gaussians(size, n_batches):
    variance, shift = 0.3, torch.tensor([0.5, -1.0, 0.0]).double()
    mu, logvar = gaussian_codes(size * n_batches, CORRELATED, variance)
    objective = partial(objectives.info_vae, scale=2.0)
    found = torch.stack(
        [
            terms_of(objective, *codes)["penalty"].mean()
            for codes in zip((mu + shift).split(size), logvar.split(size), strict=True)
        ]
    )
    expected = closed_mmd(shift, CORRELATED + variance * torch.eye(3))
    mean, error = mean_and_error(found)
    assert abs(mean - expected.item()) < SIGMAS * error
    assert error < 0.25 * expected


@pytest.mark.slow
def test_the_discrepancy_is_that_of_draws():
    """Two codes and the definition: means of the kernel over draws of both and of the prior."""
    mu, logvar = draw(2, 2), draw(2, 2, seed=1)
    terms = terms_of(partial(objectives.info_vae, scale=1.0, alpha=1.0), mu, logvar)
    n = 400_000
    z = [
        VAE.reparameterize(mu[[i]].expand(n, 2), logvar[[i]].expand(n, 2), noise(i))
        for i in (0, 1)
    ]
    y = [draw(n, 2, seed=seed) for seed in (3, 4)]

    def kernel(a, b):
        return (-(a - b).square().sum(1) / 4).exp()

    cross = [0.5 * kernel(a, b) for a in z for b in y]
    values = kernel(*z) - sum(cross) + kernel(*y)
    mean, error = mean_and_error(values)
    assert abs(terms["penalty"].mean().item() - mean) < SIGMAS * error
    assert error < 1e-3
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + terms["penalty"])


@pytest.mark.parametrize("dim", [1, 4])
def test_codes_that_are_the_prior_have_no_discrepancy(dim):
    terms = terms_of(
        partial(objectives.info_vae, scale=1000.0), torch.zeros(5, dim), torch.zeros(5, dim)
    )
    torch.testing.assert_close(terms["penalty"], torch.zeros(5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("objective", [*AGGREGATE, partial(AGGREGATE[2], alpha=0.5)])
def test_the_gradients_of_aggregate_prices_are_right(objective):
    def loss(mu, logvar):
        return terms_of(objective, mu, logvar)["loss"].mean()

    codes = (draw(5, 2).requires_grad_(), draw(5, 2, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(loss, codes)


@pytest.mark.parametrize("objective", AGGREGATE)
def test_a_batch_of_one_image_has_no_mixture(objective):
    with pytest.raises(ValueError, match="batch must have at least 2 images, got 1"):
        objective(small(), some(1))


@pytest.mark.parametrize("objective", AGGREGATE)
def test_aggregate_prices_are_about_the_standard_normal_prior(objective):
    for prior in (DiagonalNormal(torch.zeros(2), torch.ones(2)), ConditionalShift(2, 1.0, len)):
        with pytest.raises(ValueError, match=r"model must have the prior N\(0, I\), got"):
            objective(small(prior=prior), some())


@pytest.mark.parametrize(
    ("objective", "settings", "message"),
    [
        (objectives.beta_tc, {"n_images": 1}, "n_images must be a whole number, 2 or more, got 1"),
        (objectives.beta_tc, {"n_images": 9.0}, "n_images must be a whole number, 2 or more"),
        (objectives.beta_tc, {"n_images": 9, "beta": -1.0}, "beta must be a finite number in"),
        (objectives.beta_tc, {"n_images": 9, "beta": math.nan}, "beta must be a finite number"),
        (objectives.dip, {"off_diagonal": -1.0, "diagonal": 1.0}, "off_diagonal must be a finite"),
        (objectives.dip, {"off_diagonal": 1.0, "diagonal": "1"}, "diagonal must be a finite"),
        (objectives.info_vae, {"scale": 0.9}, r"scale must be a finite number in \[1, inf\]"),
        (objectives.info_vae, {"scale": 0.4, "alpha": 0.5}, r"scale must be .* \[0.5, inf\]"),
        (objectives.info_vae, {"scale": 9.0, "alpha": 1.1}, r"alpha must be .* \[-inf, 1\]"),
    ],
)
def test_prices_that_are_no_prices_are_refused(objective, settings, message):
    with pytest.raises(ValueError, match=message):
        objective(small(), some(), **settings)
