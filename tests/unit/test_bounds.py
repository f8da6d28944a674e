"""The evaluation against a linear-Gaussian VAE with known log p(x), quadrature and numpy."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate
from torch import distributions as td
from torch import nn

from vaebook import objectives
from vaebook.datasets import ImageSet
from vaebook.measures import bounds
from vaebook.models import VAE, Autoencoder, Bernoulli, Classifier, Gaussian, OptimalGaussian
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder
from vaebook.models.priors import ConditionalShift, DiagonalNormal, FullNormal, Mixture

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(kind=VAE, latent_dim=2, shape=(1, 4, 4), likelihood=Bernoulli, n_classes=0, prior=None):
    torch.manual_seed(0)
    encoder = MLPEncoder((2 if kind is VAE else 1) * latent_dim, (8,), shape)
    decoder = MLPDecoder(latent_dim + n_classes, (8,), shape)
    if kind is VAE:
        return VAE(encoder, decoder, latent_dim, likelihood(), prior, n_classes)
    return kind(encoder, decoder, latent_dim, likelihood())


def some(n=5, shape=(1, 4, 4), n_classes=3):
    return ImageSet(torch.rand(n, *shape, generator=generator()), torch.arange(n) % n_classes)


# ---------------------------------------------------------------------------------------------
# The importance-weighted estimate


@pytest.mark.slow
@pytest.mark.parametrize("n_samples", [1, 7])
def test_one_importance_sample_is_enough_where_q_is_the_posterior(linear_gaussian, n_samples):
    case = linear_gaussian(2)
    images = case.images(50)
    found = bounds.log_evidence(case.model, images, n_samples, generator())
    torch.testing.assert_close(found, case.log_p(images.float()), rtol=0, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"shift": 0.5, "stretch": 2.0}, {"orthogonal": False, "stretch": 1.5}]
)
def test_the_importance_weighted_estimate_converges_to_log_p(linear_gaussian, settings):
    case = linear_gaussian(2, **settings)
    images = case.images(20)
    # Beyond 8,000 samples an image is estimated in several draws.
    found = bounds.log_evidence(case.model, images, 20_000, generator())
    torch.testing.assert_close(found, case.log_p(images), rtol=0, atol=0.05)


@pytest.mark.slow
def test_the_importance_weighted_estimate_is_a_bound_that_rises_with_the_samples(linear_gaussian):
    case = linear_gaussian(2, shift=0.5, stretch=0.7)
    images = case.images(20_000)
    exact = case.log_p(images)
    gaps = []
    for n_samples in (1, 3, 10, 50):
        gap = exact - bounds.log_evidence(case.model, images, n_samples, generator(n_samples))
        gaps.append((gap.mean().item(), gap.std().item() / len(gap) ** 0.5))
    mu, logvar = case.model.encode(images[:1])
    q = td.MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    kl = td.kl_divergence(q, case.posterior(images[:1])).item()
    # One sample is the ELBO, which misses by the KL, the same for all images here.
    assert abs(gaps[0][0] - kl) < SIGMAS * gaps[0][1]
    for (wide, error), (narrow, other) in pairwise(gaps):
        assert wide - narrow > SIGMAS * math.hypot(error, other)
    assert gaps[-1][0] > -SIGMAS * gaps[-1][1]


@pytest.mark.slow
@pytest.mark.parametrize("n_samples", [20, 10_001])
def test_many_images_and_many_samples_are_both_covered(linear_gaussian, n_samples):
    # 3,000 images of one sample each fill several batches, 10,001 samples several draws.
    case = linear_gaussian(1, shift=0.2)
    images = case.images(1500 if n_samples < 100 else 3)
    found = bounds.log_evidence(case.model, images, n_samples, generator())
    assert found.shape == (len(images),)
    gap = case.log_p(images) - found
    assert gap.abs().max() < (1.5 if n_samples < 100 else 0.02)


def test_estimates_repeat_themselves_with_their_generator(linear_gaussian):
    case = linear_gaussian(2, shift=0.5)
    images = case.images(10)
    for estimate in (bounds.log_evidence, lambda *a: bounds.elbo(*a).elbo):
        first = estimate(case.model, images, 5, generator(3))
        assert torch.equal(first, estimate(case.model, images, 5, generator(3)))
        assert not torch.equal(first, estimate(case.model, images, 5, generator(4)))


# ---------------------------------------------------------------------------------------------
# The grid


@pytest.mark.slow
@pytest.mark.parametrize("latent_dim", [1, 2])
def test_the_grid_is_exact(linear_gaussian, latent_dim):
    case = linear_gaussian(latent_dim, dtype=torch.float32)
    images = case.images(30)
    found = bounds.log_evidence_grid(case.model, images)
    exact = linear_gaussian(latent_dim).log_p(images)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=2e-5)


def test_the_grid_covers_more_images_than_one_block(linear_gaussian):
    case = linear_gaussian(1, dtype=torch.float32)
    images = case.images(4100)
    found = bounds.log_evidence_grid(case.model, images)
    exact = linear_gaussian(1).log_p(images)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=5e-5)


def test_the_grid_is_the_integral_for_a_decoder_that_is_not_linear():
    model = small(latent_dim=1)
    images = torch.rand(3, 1, 4, 4, generator=generator())
    found = bounds.log_evidence_grid(model, images)

    for image, value in zip(images, found, strict=True):

        def joint(z, image=image):
            with torch.no_grad():
                logits = model.decoder(torch.tensor([[z]], dtype=torch.float32))[0].double()
            log_p = (image * logits - nn.functional.softplus(logits)).sum().item()
            return math.exp(log_p - 0.5 * z * z) / math.sqrt(2 * math.pi)

        expected, _ = integrate.quad(joint, -8, 8, epsrel=1e-5, epsabs=0)
        assert value.item() == pytest.approx(math.log(expected), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("latent_dim", [1, 2])
@pytest.mark.parametrize("scale", [1.0, 3.0, 10.0, 30.0, 100.0])
def test_the_grid_resolves_posteriors_down_to_a_hundredth(latent_dim, scale):
    """x = s z + noise, so that the posterior has the standard deviation 1 / sqrt(1 + s^2)."""
    decoder = nn.Linear(latent_dim, 2)
    model = VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(2, 2 * latent_dim)),
        nn.Sequential(decoder, nn.Unflatten(1, (1, 1, 2))),
        latent_dim,
        Gaussian(1.0),
    )
    with torch.no_grad():
        decoder.weight.copy_(scale * torch.eye(2)[:, :latent_dim])
        decoder.bias.zero_()
    marginal = torch.eye(2).double()
    marginal[:latent_dim, :latent_dim] *= 1 + scale**2
    exact = td.MultivariateNormal(torch.zeros(2).double(), marginal)
    # Between grid points and on them; a poor encoder is no help.
    images = scale * (2 * torch.rand(40, 1, 1, 2, generator=generator()) - 1)
    found = bounds.log_evidence_grid(model, images)
    expected = exact.log_prob(images.flatten(1).double())
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=0.01)
    large = bounds.log_evidence(exactly(model, scale), images[:5], 200, generator())
    torch.testing.assert_close(large.double(), expected[:5], rtol=0, atol=0.01)


def exactly(model, scale):
    """The model with the exact posterior as its encoder."""
    linear, d = model.encoder[1], model.latent_dim
    with torch.no_grad():
        linear.weight.zero_()
        linear.weight[:d, :d] = torch.eye(d) * scale / (1 + scale**2)
        linear.bias.zero_()
        linear.bias[d:] = -math.log(1 + scale**2)
    return model


@pytest.mark.parametrize("scale", [300.0, 1000.0, 10000.0])
@pytest.mark.parametrize("latent_dim", [1, 2])
def test_a_posterior_that_slips_through_the_grid_is_refused(latent_dim, scale):
    decoder = nn.Linear(latent_dim, 2)
    model = VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(2, 2 * latent_dim)),
        nn.Sequential(decoder, nn.Unflatten(1, (1, 1, 2))),
        latent_dim,
        Gaussian(1.0),
    )
    with torch.no_grad():
        decoder.weight.copy_(scale * torch.eye(2)[:, :latent_dim])
        decoder.bias.zero_()
    images = scale * torch.tensor([0.2571, -0.3337]).reshape(1, 1, 1, 2)
    with pytest.raises(ValueError, match=r"size must be more than 201.*of image 0 is too narrow"):
        bounds.log_evidence_grid(exactly(model, scale), images)


def test_a_narrow_ridge_that_slips_through_the_grid_is_refused():
    """Narrow in one direction only, across the diagonal."""
    decoder = nn.Linear(2, 2)
    model = VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(2, 4)),
        nn.Sequential(decoder, nn.Unflatten(1, (1, 1, 2))),
        2,
        Gaussian(1.0),
    )
    with torch.no_grad():
        decoder.weight.copy_(torch.tensor([[500.0, -500.0], [1.0, 1.0]]))
        decoder.bias.zero_()
    with pytest.raises(ValueError, match="is too narrow for this grid"):
        bounds.log_evidence_grid(model, torch.tensor([7.7, 0.0]).reshape(1, 1, 1, 2))


@pytest.mark.parametrize("mean", [6.0, 7.0, 50.0])
def test_a_posterior_beyond_the_grid_is_refused_and_named(mean):
    decoder = nn.Linear(1, 1)
    model = VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(1, 2)),
        nn.Sequential(decoder, nn.Unflatten(1, (1, 1, 1))),
        1,
        Gaussian(1.0),
    )
    with torch.no_grad():
        decoder.weight.fill_(10.0)
        decoder.bias.zero_()
        model.encoder[1].weight.copy_(torch.tensor([[0.1], [0.0]]))
        model.encoder[1].bias.zero_()
    images = 10 * torch.tensor([0.0, 1.0, mean, -2.0]).reshape(4, 1, 1, 1)
    with pytest.raises(ValueError, match=r"extent than 6.*of image 2 is too narrow .* beyond it"):
        bounds.log_evidence_grid(model, images)
    if mean < 10:
        found = bounds.log_evidence_grid(model, images, 401, extent=12.0)
        expected = td.Normal(0.0, 101**0.5).log_prob(images.flatten())
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "prior",
    [
        DiagonalNormal(torch.tensor([1.0, -0.5]), torch.tensor([0.3, -1.0])),
        FullNormal(torch.tensor([1.0, -0.5]), torch.tensor([[1.0, 0.6], [0.6, 0.8]])),
    ],
)
def test_the_grid_takes_the_models_own_prior(linear_gaussian, prior):
    case = linear_gaussian(2, dtype=torch.float32)
    case.model.prior = prior
    images = case.images(10)
    covariance = prior.color(torch.eye(2))
    covariance = covariance.T @ covariance
    exact = td.MultivariateNormal(
        case.bias + prior.mean @ case.weight.T,
        case.weight @ covariance @ case.weight.T + case.variance * torch.eye(9),
    )
    expected = exact.log_prob(images.flatten(1))
    found = bounds.log_evidence_grid(case.model, images)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-4)
    with torch.no_grad():  # q of N(0, I)'s posterior misses some of this one
        case.model.encoder[1].bias[2:] += 2 * math.log(3)
    many = bounds.log_evidence(case.model, images, 20_000, generator())
    torch.testing.assert_close(many, expected, rtol=0, atol=0.1)


def test_the_grid_agrees_with_many_importance_samples_for_a_mixture():
    prior = Mixture(torch.tensor([[-1.0, 0.0], [1.0, 1.0]]), torch.zeros(2, 2) - 0.5)
    model = small(prior=prior)
    images = torch.rand(5, 1, 4, 4, generator=generator())
    found = bounds.log_evidence_grid(model, images)
    many = bounds.log_evidence(model, images, 50_000, generator())
    torch.testing.assert_close(found, many, rtol=0, atol=0.05)


def test_the_grid_refuses_three_dimensions_and_no_grid():
    images = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match="latent_dim 1 or 2 for a grid, got 3"):
        bounds.log_evidence_grid(small(latent_dim=3), images)
    with pytest.raises(ValueError, match="size must be a whole number, 2 or more, got 1"):
        bounds.log_evidence_grid(small(), images, size=1)
    for extent in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="extent must be a finite number in"):
            bounds.log_evidence_grid(small(), images, extent=extent)


def test_the_grid_refuses_a_class_or_a_prior_for_each_image():
    with pytest.raises(ValueError, match="model must not be conditional, got n_classes = 3"):
        bounds.log_evidence_grid(small(n_classes=3), some())
    prior = ConditionalShift(2, 1.0, lambda images: images.flatten(1).mean(1))
    with pytest.raises(ValueError, match="model must have one prior for all images"):
        bounds.log_evidence_grid(small(prior=prior), some())


# ---------------------------------------------------------------------------------------------
# The ELBO and the rest


def test_the_elbo_and_its_parts_are_the_closed_forms(linear_gaussian):
    case = linear_gaussian(2, shift=0.4, stretch=1.5)
    images = case.images(200)
    found = bounds.elbo(case.model, images, 400, generator())
    mu, logvar = case.model.encode(images)
    q = td.MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    standard = td.MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    torch.testing.assert_close(found.kl, td.kl_divergence(q, standard))
    torch.testing.assert_close(found.elbo, found.log_prob - found.kl)
    exact = case.log_p(images) - td.kl_divergence(q, case.posterior(images))
    gap = found.elbo - exact
    assert gap.mean().abs() < SIGMAS * gap.std() / len(gap) ** 0.5
    assert gap.std() < 0.2


def test_more_samples_of_the_elbo_scatter_less_by_their_square_root(linear_gaussian):
    case = linear_gaussian(2)
    images = case.images(1).expand(4000, 1, 3, 3)
    one, sixteen = (bounds.elbo(case.model, images, k, generator()).elbo.std() for k in (1, 16))
    # A standard deviation from 4,000 draws is good to about 2 %.
    assert (one / sixteen).item() == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize("n_samples", [0, -1])
def test_no_samples_are_refused(n_samples):
    model, images = small(), torch.zeros(1, 1, 4, 4)
    for estimate in (bounds.elbo, bounds.log_evidence):
        with pytest.raises(ValueError, match=rf"n_samples must be .* 1 or more, got {n_samples}"):
            estimate(model, images, n_samples)


@pytest.mark.parametrize("kind", [VAE, Autoencoder])
def test_reconstruction_errors_are_frobenius_norms(kind):
    model = small(kind)
    images = torch.rand(1300, 1, 4, 4, generator=generator())
    with torch.no_grad():
        codes = model.encode(images)
        decoded = model.decode(codes[0] if kind is VAE else codes)
    expected = [np.linalg.norm(d) for d in (images - decoded)[:, 0].double().numpy()]
    np.testing.assert_allclose(bounds.reconstruction_errors(model, images), expected, rtol=1e-5)


@pytest.mark.slow
def test_batches_change_no_result():
    model = small()
    images = torch.rand(2300, 1, 4, 4, generator=generator())
    for function in (
        bounds.reconstruction_errors,
        lambda model, images: bounds.log_evidence_grid(model, images, 31),
        lambda model, images: bounds.elbo(model, images).kl,
    ):
        parts = torch.cat([function(model, part) for part in images.split(77)])
        torch.testing.assert_close(function(model, images), parts, rtol=1e-5, atol=1e-5)


MEASURES = {
    "elbo": lambda model, images: torch.stack(bounds.elbo(model, images, 3, generator())),
    "evidence": lambda model, images: bounds.log_evidence(model, images, 3, generator()),
    "grid": lambda model, images: bounds.log_evidence_grid(model, images, 61),
    "errors": bounds.reconstruction_errors,
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_evaluation_leaves_no_graph_and_takes_images_that_have_one(measure):
    model, images = small(), torch.rand(3, 1, 4, 4, generator=generator())
    found = measure(model, images)
    assert not found.requires_grad
    assert torch.equal(measure(model, images.clone().requires_grad_()), found)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("likelihood", [Bernoulli, OptimalGaussian])
def test_train_mode_changes_no_result_and_comes_back(measure, likelihood):
    torch.manual_seed(0)
    encoder = nn.Sequential(MLPEncoder(4, (8,), (1, 4, 4)), nn.Dropout(0.5))
    model = VAE(encoder, MLPDecoder(2, (8,), (1, 4, 4)), 2, likelihood())
    images = torch.rand(30, 1, 4, 4, generator=generator())
    expected = measure(model.eval(), images)
    model.train()
    model.decoder.eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    assert torch.equal(measure(model, images), expected)
    assert model.training
    assert encoder[1].training
    assert not model.decoder.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sets_tensors_and_models_of_both_precisions_are_measured_alike(measure, dtype):
    model, batch = small(shape=(3, 4, 5)), some(7, (3, 4, 5))
    expected = measure(model, batch)
    model.to(dtype)
    for images in (batch, batch.images, batch.images.double()):
        found = measure(model, images)
        assert found.shape[-1] == 7
        assert found.isfinite().all()
        if dtype == torch.float32:
            assert torch.equal(found, expected)
        else:
            assert found.dtype == dtype
            assert torch.equal(found, measure(model, batch))


@pytest.mark.slow
def test_convolutional_models_of_any_shape_are_measured():
    for shape in ((1, 28, 28), (3, 20, 13)):
        torch.manual_seed(0)
        model = VAE(
            ConvEncoder(4, (4, 4), shape=shape), ConvDecoder(2, shape=shape), 2, Bernoulli()
        )
        images = some(3, shape)
        evidence = bounds.log_evidence_grid(model, images, 61)
        many = bounds.log_evidence(model, images, 5000, generator())
        torch.testing.assert_close(evidence, many, rtol=0, atol=0.5)


@pytest.mark.slow
def test_a_conditional_model_is_told_the_labels():
    model, batch = small(n_classes=3), some(9)
    bound = bounds.elbo(model, batch, 2000, generator())
    evidence = bounds.log_evidence(model, batch, 2000, generator())
    assert (bound.elbo < evidence + 0.05).all()
    # With the class in the bias, it is a model without classes for the images of one class.
    for label in range(3):
        part = batch[batch.labels == label]
        plain = small()
        plain.encoder.load_state_dict(model.encoder.state_dict())
        first, *rest = (layer for layer in model.decoder.layers if isinstance(layer, nn.Linear))
        own = [layer for layer in plain.decoder.layers if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            own[0].weight.copy_(first.weight[:, :2])
            own[0].bias.copy_(first.bias + first.weight[:, 2 + label])
            for mine, theirs in zip(own[1:], rest, strict=True):
                mine.load_state_dict(theirs.state_dict())
        exact = bounds.log_evidence_grid(plain, part)
        many = bounds.log_evidence(model, part, 5000, generator())
        torch.testing.assert_close(many, exact, rtol=0, atol=0.05)
    for measure in (MEASURES["elbo"], MEASURES["evidence"], MEASURES["errors"]):
        with pytest.raises(ValueError, match="labels must be the class of each code"):
            measure(model, batch.images)


def test_the_evidence_under_a_shifted_prior_is_that_of_the_shifted_decoder(linear_gaussian):
    """p(x) = N(W m + b, W W' + s^2 I) with the prior's own mean m of each image."""
    case = linear_gaussian(2, shift=0.2)
    score = lambda images: images.flatten(1)[:, 0] - 0.5  # noqa: E731
    case.model.prior = ConditionalShift(2, 0.5, score)
    images = case.images(5).float()
    centre = -0.5 * score(images)[:, None].double().expand(5, 2)
    noise = 0.3 * torch.eye(9).double()
    exact = td.MultivariateNormal(
        case.bias + centre @ case.weight.T, case.weight @ case.weight.T + noise
    )
    found = bounds.log_evidence(case.model, images, 20_000, generator())
    torch.testing.assert_close(
        found, exact.log_prob(images.flatten(1).double()), rtol=0, atol=0.05
    )


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize(
    ("images", "said"),
    [
        (torch.full((2, 1, 4, 4), 2.0), r"images must lie in \[0, 1\]"),
        (torch.full((2, 1, 4, 4), math.nan), r"images must lie in \[0, 1\]"),
        (torch.zeros(2, 1, 4, 5), "images must be"),
        (torch.zeros(4, 4), "images must be a float tensor"),
        (torch.zeros(0, 1, 4, 4), "images must be a float tensor"),
        (torch.zeros(2, 1, 4, 4).long(), "images must be a float tensor"),
        (np.zeros((2, 1, 4, 4)), "images must be a tensor or an ImageSet"),
        (None, "images must be a tensor or an ImageSet"),
    ],
)
def test_what_is_no_image_of_the_model_is_refused(measure, images, said):
    with pytest.raises(ValueError, match=said):
        measure(small(), images)


def test_a_model_of_another_kind_is_refused():
    images = torch.zeros(2, 1, 4, 4)
    other = Classifier(MLPEncoder(4, (8,), (1, 4, 4)), 4)
    for measure in MEASURES.values():
        with pytest.raises(ValueError, match="model must be"):
            measure(other, images)
    for name in ("elbo", "evidence", "grid"):
        with pytest.raises(ValueError, match="model must be"):
            MEASURES[name](small(Autoencoder), images)


def test_active_units_are_the_dimensions_whose_means_vary():
    n = 5000
    scales = torch.tensor([1.0, 0.09, 0.11, 0.0])  # variances 1, 0.0081, 0.0121, 0
    mu = 3 + scales * torch.randn(n, 4, generator=generator())
    expected = np.var(mu.double().numpy(), axis=0) > 0.01
    assert bounds.active_units(mu).tolist() == expected.tolist() == [True, False, True, False]
    assert bounds.active_units(mu, threshold=0.5).tolist() == [True, False, False, False]


@pytest.mark.parametrize("shape", [(1, 4), (4,), (0, 4)])
def test_active_units_need_two_images(shape):
    with pytest.raises(ValueError, match=r"mu must be"):
        bounds.active_units(torch.zeros(shape))


@pytest.mark.parametrize("dim", [1, 3])
def test_of_one_code_all_of_the_kl_is_dimension_wise(dim):
    mu = torch.full((7, dim), 0.5)
    logvar = torch.full((7, dim), -1.0)
    parts = bounds.kl_parts(mu, logvar, 20_000, generator())
    assert parts.mutual_information.item() == pytest.approx(0, abs=1e-5)
    assert parts.total_correlation.item() == pytest.approx(0, abs=1e-5)
    expected = objectives.kl_divergence(mu[:1], logvar[:1]).item()
    # The log ratio has a variance below 1 for each dimension.
    assert parts.dimension_wise.item() == pytest.approx(expected, abs=4.5 * (dim / 20_000) ** 0.5)


@pytest.mark.parametrize("logvar", [-20.0, -60.0, -120.0])
def test_codes_too_narrow_for_the_rounding_of_a_draw_have_all_the_information(logvar):
    mu = torch.randperm(64, generator=generator())[:, None] - torch.tensor([0.0, 7.0, 21.0])
    found = bounds.kl_parts(mu, torch.full_like(mu, logvar), 500, generator())
    assert found.mutual_information.item() == pytest.approx(math.log(64), abs=1e-3)
    assert found.total_correlation.item() == pytest.approx(2 * math.log(64), abs=1e-3)


def test_independent_bits_are_information_and_no_dependence():
    """Four codes at the corners of a square: two bits, one in each dimension."""
    corners = 20.0 * torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    parts = bounds.kl_parts(corners, torch.zeros(4, 2), 4000, generator())
    assert parts.mutual_information.item() == pytest.approx(2 * math.log(2), abs=1e-4)
    assert parts.total_correlation.item() == pytest.approx(0, abs=0.02)


@pytest.mark.slow
def test_the_parts_of_gaussian_codes_are_those_of_gaussians():
    """Means drawn from a Gaussian with correlation: the mixture of many is one, in closed form."""
    n, correlation, variance = 20_000, 0.8, 0.5
    cov = torch.tensor([[1.0, correlation], [correlation, 1.0]])
    mu = torch.randn(n, 2, generator=generator()) @ torch.linalg.cholesky(cov).T
    logvar = torch.full((n, 2), math.log(variance))
    parts = bounds.kl_parts(mu, logvar, 4000, generator(1))
    whole = cov + variance * torch.eye(2)
    information = 0.5 * (torch.logdet(whole) - 2 * math.log(variance))
    dependence = 0.5 * (whole.diagonal().log().sum() - torch.logdet(whole))
    misfit = 2 * 0.5 * (1 + variance - 1 - math.log(1 + variance))
    found = [part.item() for part in parts]
    # Standard errors of 4,000 draws are below .02; what 20,000 means miss of their Gaussian too.
    assert found == pytest.approx([information.item(), dependence.item(), misfit], abs=0.09)


def test_the_parts_add_up_to_the_kl():
    mu, logvar = torch.randn(50, 4, generator=generator()), torch.randn(50, 4) - 1
    parts = bounds.kl_parts(mu, logvar, 20_000, generator(1))
    expected = objectives.kl_divergence(mu, logvar).mean().item()
    assert sum(parts).item() == pytest.approx(expected, rel=0.05)
