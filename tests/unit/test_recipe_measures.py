"""What a card says of a model: against numbers that are computed by hand."""

from functools import partial

import pytest
import torch
from torch import Generator, nn

from vaebook import datasets, recipes
from vaebook.datasets import ImageSet
from vaebook.models import Autoencoder, Bernoulli, Classifier, Gaussian
from vaebook.recipes import measure

pytestmark = pytest.mark.slow

N = 400


def seeded():
    return Generator().manual_seed(0)


said = partial(measure.gaussian_vae, n_samples=0, progress=False)


def norms(differences):
    return differences.flatten(1).norm(dim=1).mean().item()


@pytest.fixture(scope="module")
def linear(linear_gaussian):
    """Return a linear VAE in single precision whose posterior is exact, and draws of p(x)."""
    known = linear_gaussian(2, dtype=torch.float32)
    return known, ImageSet(known.images(N), in_unit_range=False)


def test_the_bounds_of_an_exact_posterior_are_the_evidence(linear):
    known, test = linear
    found = measure.gaussian_vae(
        known.model, test, test, n_samples=50, generator=seeded(), progress=False
    )
    log_p = known.log_p(test.images)
    error = log_p.std().item() / N**0.5
    # All three are of the same images, so that only the draws of z are between them.
    assert found["elbo"]["nats"] == pytest.approx(log_p.mean().item(), abs=0.15)
    assert found["log_p_iw"]["nats"] == pytest.approx(log_p.mean().item(), abs=0.002)
    assert found["log_p_grid"]["nats"] == pytest.approx(log_p.mean().item(), abs=0.002)
    assert found["log_p_iw"]["standard_error"] == pytest.approx(error, rel=0.01)
    assert found["log_p_iw"]["samples"] == 50
    parts = found["log_p_x_given_z"]["nats"] - found["kl"]["nats"]
    assert found["elbo"]["nats"] == pytest.approx(parts, abs=0.002)
    assert found["variance"] == pytest.approx(known.variance, rel=1e-6)


def test_the_errors_are_norms_of_images(linear):
    known, test = linear
    found = said(known.model, test, test, generator=seeded())
    mu, logvar = known.model.encode(test.images)
    decoded = known.model.decode(mu)
    assert found["frobenius_pixels"] == pytest.approx(norms(decoded - test.images), abs=1e-4)
    # Decoded from a draw, each pixel has the variance of the draw on top.
    spread = (known.weight.square() @ logvar[0].exp()).sum().item()
    squares = (decoded - test.images).flatten(1).square().sum(1).mean().item() + spread
    assert found["frobenius_sampled"] == pytest.approx(squares**0.5, rel=0.03)
    assert found["active_units"] == 2
    assert "log_p_iw" not in found
    assert "log_p_grid" not in found


def test_the_error_without_noise_is_against_the_clean_images(linear):
    known, clean = linear
    noisy = clean.with_images(datasets.add_noise(clean.images, 0.5, seeded()))
    found = measure.noisy_vae(
        known.model, noisy, clean, n_samples=0, generator=seeded(), progress=False
    )
    decoded = known.model.decode(known.model.encode(noisy.images)[0])
    assert found["frobenius_clean"] == pytest.approx(norms(decoded - clean.images), abs=1e-4)
    assert found["frobenius_pixels"] == pytest.approx(norms(decoded - noisy.images), abs=1e-4)


def test_the_bounds_of_grey_images_are_about_their_binarised_ones():
    model = recipes.load("digits-mlp-2d").model
    test = datasets.digits()[:200]
    found = measure.bernoulli_vae(
        model, test, test, n_samples=0, generator=seeded(), progress=False
    )
    binary = datasets.binarize(test.images, seeded())
    z = model.codes(binary).mu
    # Near the draws' mean, as q is narrow; grey pixels are far from it.
    rough = model.log_prob(binary, z).mean().item()
    assert found["log_p_x_given_z"]["nats"] == pytest.approx(rough, abs=4)
    grey = model.log_prob(test.images, model.codes(test).mu).mean().item()
    assert found["elbo_grey"]["nats"] == pytest.approx(grey - found["kl"]["nats"], abs=4)
    decoded = model.decode(model.codes(test).mu)
    assert found["frobenius_pixels"] == pytest.approx(norms(decoded - test.images), abs=1e-4)


def test_the_card_of_binarised_images_is_about_nothing_else():
    model = recipes.load("digits-mlp-2d").model
    grey = datasets.digits()[:200]
    test = grey.with_images(datasets.binarize(grey.images, seeded()))
    settings = {"n_samples": 0, "progress": False}
    found = measure.binary_vae(model, test, grey, generator=seeded(), **settings)
    of_grey = measure.bernoulli_vae(model, grey, grey, generator=seeded(), **settings)
    assert found["elbo"]["nats"] == pytest.approx(of_grey["elbo"]["nats"], abs=0.5)
    assert "elbo_grey" not in found
    decoded = model.decode(model.codes(test).mu)
    assert found["frobenius_pixels"] == pytest.approx(norms(decoded - test.images), abs=1e-4)
    assert found["frobenius_pixels"] > of_grey["frobenius_pixels"] + 1
    with pytest.raises(ValueError, match="transform must be binarize, got test images with grey"):
        measure.binary_vae(model, grey, grey, generator=seeded(), **settings)


def test_an_autoencoder_has_its_error_alone(linear):
    known, test = linear
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    model = Autoencoder(encoder, known.model.decoder, 2, Gaussian(0.5)).eval()
    found = measure.autoencoder(model, test, test, n_samples=0, generator=seeded(), progress=False)
    expected = norms(model.decode(model.encode(test.images)) - test.images)
    assert found == {"frobenius_pixels": pytest.approx(expected, abs=1e-4)}


def test_a_classifier_has_its_share_of_right_answers():
    labels = torch.arange(8) % 2
    images = torch.zeros(8, 1, 1, 2)
    images[torch.arange(8), 0, 0, labels] = 1.0
    images[0] = images[0].flip(-1)  # one of eight looks like the other class
    model = Classifier(nn.Flatten(), 2, 2)
    with torch.no_grad():
        model.head.weight.copy_(2 * torch.eye(2))
        model.head.bias.zero_()
    test = ImageSet(images, labels)
    found = measure.classifier(model, test, test, n_samples=0, generator=seeded(), progress=False)
    right = torch.tensor(2.0).neg().exp().log1p()
    assert found["accuracy"] == 0.875
    mean = (7 * right + right + 2) / 8
    assert found["cross_entropy"]["nats"] == pytest.approx(mean.item(), abs=1e-3)


def test_a_measure_refuses_a_likelihood_that_it_is_not_about(linear):
    known, test = linear
    with pytest.raises(ValueError, match="the likelihood must be a Bernoulli, got Gaussian"):
        measure.bernoulli_vae(
            known.model, test, test, n_samples=0, generator=seeded(), progress=False
        )
    digits = datasets.digits()[:50]
    model = recipes.load("digits-mlp-2d").model
    assert isinstance(model.likelihood, Bernoulli)
    with pytest.raises(ValueError, match="the likelihood must be a Gaussian, got Bernoulli"):
        said(model, digits, digits, generator=seeded())
