"""The evaluation against a linear-Gaussian VAE with known log p(x), quadrature and numpy."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate
from torch import distributions as td
from torch import nn

from vaebook.measures import bounds
from vaebook.models import VAE, Autoencoder, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder

# Monte Carlo is held within this many standard errors: one false alarm in 150,000 per number.
SIGMAS = 4.5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(kind, latent_dim=2, size=4):
    torch.manual_seed(0)
    width = 2 * latent_dim if kind is VAE else latent_dim
    model = kind(
        MLPEncoder(width, (8,), size), MLPDecoder(latent_dim, (8,), size), latent_dim, Bernoulli()
    )
    return model.eval()


# ---------------------------------------------------------------------------------------------
# The importance-weighted estimate


@pytest.mark.parametrize("n_samples", [1, 7])
def test_one_importance_sample_is_enough_where_q_is_the_posterior(linear_gaussian, n_samples):
    case = linear_gaussian(2)
    images = case.images(50)
    found = bounds.log_evidence(case.model, images, n_samples, generator())
    torch.testing.assert_close(found, case.log_p(images), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"shift": 0.5, "stretch": 2.0}, {"orthogonal": False, "stretch": 1.5}]
)
def test_the_importance_weighted_estimate_converges_to_log_p(linear_gaussian, settings):
    case = linear_gaussian(2, **settings)
    images = case.images(20)
    # Beyond 8,000 samples an image is estimated in several draws.
    found = bounds.log_evidence(case.model, images, 20_000, generator())
    torch.testing.assert_close(found, case.log_p(images), rtol=0, atol=0.05)


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
    model = small(VAE, latent_dim=1)
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


def test_the_grid_refuses_three_dimensions_and_no_grid():
    with pytest.raises(ValueError, match="latent_dim 1 or 2, got 3"):
        bounds.log_evidence_grid(small(VAE, 3), torch.zeros(1, 1, 4, 4))
    for settings in ({"size": 1}, {"extent": 0.0}):
        with pytest.raises(ValueError, match="size must be at least 2 and extent positive"):
            bounds.log_evidence_grid(small(VAE), torch.zeros(1, 1, 4, 4), **settings)


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
    torch.testing.assert_close(found.elbo, found.log_likelihood - found.kl)
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
    model, images = small(VAE), torch.zeros(1, 1, 4, 4)
    for estimate in (bounds.elbo, bounds.log_evidence):
        with pytest.raises(ValueError, match=rf"n_samples must be at least 1, got {n_samples}"):
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


def test_batches_change_no_result():
    model = small(VAE)
    images = torch.rand(2300, 1, 4, 4, generator=generator())
    for whole, parts in (
        (
            torch.stack(bounds.encode(model, images)),
            torch.cat([torch.stack(bounds.encode(model, i)) for i in images.split(77)], 1),
        ),
        (
            bounds.reconstruction_errors(model, images),
            torch.cat([bounds.reconstruction_errors(model, i) for i in images.split(77)]),
        ),
        (
            bounds.log_evidence_grid(model, images, 41),
            torch.cat([bounds.log_evidence_grid(model, i, 41) for i in images.split(77)]),
        ),
        (
            bounds.elbo(model, images).kl,
            torch.cat([bounds.elbo(model, i).kl for i in images.split(77)]),
        ),
    ):
        torch.testing.assert_close(whole, parts, rtol=1e-5, atol=1e-5)


def test_evaluation_leaves_no_graph_behind():
    model = small(VAE)
    images = torch.rand(3, 1, 4, 4)
    results = [
        *bounds.encode(model, images),
        *bounds.elbo(model, images),
        bounds.log_evidence(model, images, 2),
        bounds.log_evidence_grid(model, images, 11),
        bounds.reconstruction_errors(model, images),
    ]
    assert not any(result.requires_grad for result in results)


def test_active_units_are_the_dimensions_whose_means_vary():
    n = 5000
    scales = torch.tensor([1.0, 0.09, 0.11, 0.0])  # variances 1, 0.0081, 0.0121, 0
    mu = 3 + scales * torch.randn(n, 4, generator=generator())
    expected = np.var(mu.double().numpy(), axis=0) > 0.01
    assert bounds.active_units(mu).tolist() == expected.tolist() == [True, False, True, False]
    assert bounds.active_units(mu, threshold=0.5).tolist() == [True, False, False, False]


@pytest.mark.parametrize("shape", [(1, 4), (4,), (0, 4)])
def test_active_units_need_two_images(shape):
    with pytest.raises(ValueError, match=r"mu must be \[N, D\] with N > 1, got \["):
        bounds.active_units(torch.zeros(shape))
