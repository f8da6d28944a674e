"""What the card of a recipe says of its model, in nats per image unless said otherwise.

The docstring of each stands in the card as the convention of its numbers.
"""

__all__ = [
    "autoencoder",
    "bernoulli_vae",
    "binary_vae",
    "classifier",
    "gaussian_vae",
    "noisy_vae",
]

from contextlib import suppress
from typing import Any

import torch
from torch import Generator, Tensor

from vaebook.datasets import ImageSet, binarize
from vaebook.measures import bounds
from vaebook.models import VAE, Autoencoder, Bernoulli, Classifier, Gaussian
from vaebook.objectives import cross_entropy


def bernoulli_vae(
    model: VAE,
    test: ImageSet,
    clean: ImageSet,
    *,
    n_samples: int,
    generator: Generator,
    progress: bool,
) -> dict[str, Any]:
    """Grey values in [0, 1] are the probabilities of Bernoulli pixels.

    elbo_grey is on the grey test images; all other metrics in nats are on the test images
    binarised once with seed 0 (each pixel drawn from Bernoulli(grey value)), as the literature
    reports them. kl is measured from the model's own prior, which may be one for each image.
    frobenius_pixels is the mean norm of an image minus its reconstruction from mu. Of a
    conditional model all are of p(x|c), given the class. The codes kept are of the grey test
    images.
    """
    if not isinstance(model.likelihood, Bernoulli):
        raise ValueError(f"the likelihood must be a Bernoulli, got {model.likelihood}")
    binary = test.with_images(binarize(test.images, Generator().manual_seed(0)))
    return (
        _reconstruction(model, test)
        | {"elbo_grey": _mean(bounds.elbo(model, test, 10, generator).elbo)}
        | _bounds(model, binary, n_samples, generator, progress)
    )


def binary_vae(
    model: VAE,
    test: ImageSet,
    clean: ImageSet,
    *,
    n_samples: int,
    generator: Generator,
    progress: bool,
) -> dict[str, Any]:
    """Pixels are 0 or 1: training batches are binarised anew (each pixel drawn from
    Bernoulli(grey value)), the test images once with seed 0.

    All is about these test images, the codes kept as well. kl is measured from the model's own
    prior. frobenius_pixels is the mean norm of an image minus its reconstruction from mu.
    """
    if not isinstance(model.likelihood, Bernoulli):
        raise ValueError(f"the likelihood must be a Bernoulli, got {model.likelihood}")
    if not bool(((test.images == 0) | (test.images == 1)).all()):
        raise ValueError("transform must be binarize, got test images with grey pixels")
    return _reconstruction(model, test) | _bounds(model, test, n_samples, generator, progress)


def gaussian_vae(
    model: VAE,
    test: ImageSet,
    clean: ImageSet,
    *,
    n_samples: int,
    generator: Generator,
    progress: bool,
) -> dict[str, Any]:
    """Pixels have a Gaussian with one variance; these are densities, so nats may be positive.

    frobenius_pixels is the mean norm of an image minus its reconstruction from mu,
    frobenius_sampled that from one draw of q(z|x).
    """
    if not isinstance(model.likelihood, Gaussian):
        raise ValueError(f"the likelihood must be a Gaussian, got {model.likelihood}")
    codes = model.codes(test)
    with torch.no_grad():
        decoded = model.decode(codes.sample(generator))
    return (
        _reconstruction(model, test)
        | {
            "frobenius_sampled": _frobenius(decoded, test),
            "variance": round(model.likelihood.variance.item(), 8),
        }
        | _bounds(model, test, n_samples, generator, progress)
    )


def noisy_vae(
    model: VAE,
    test: ImageSet,
    clean: ImageSet,
    *,
    n_samples: int,
    generator: Generator,
    progress: bool,
) -> dict[str, Any]:
    """Pixels have noise, and a Gaussian with one variance; nats may be positive.

    Noise is added to each training batch, and once with seed 0 to the test images, which may then
    leave [0, 1]; the codes kept are of those. frobenius_pixels is the mean norm of an image minus
    its reconstruction from mu, frobenius_sampled that from one draw of q(z|x), frobenius_clean
    that of the image without noise minus the reconstruction from mu.
    """
    metrics = gaussian_vae(
        model, test, clean, n_samples=n_samples, generator=generator, progress=progress
    )
    with torch.no_grad():
        decoded = model.decode(model.codes(test).mu)
    return metrics | {"frobenius_clean": _frobenius(decoded, clean)}


def autoencoder(
    model: Autoencoder,
    test: ImageSet,
    clean: ImageSet,
    *,
    n_samples: int,
    generator: Generator,
    progress: bool,
) -> dict[str, Any]:
    """frobenius_pixels is the mean norm of an image minus its reconstruction."""
    errors = bounds.reconstruction_errors(model, test)
    return {"frobenius_pixels": round(errors.mean().item(), 4)}


def classifier(
    model: Classifier,
    test: ImageSet,
    clean: ImageSet,
    *,
    n_samples: int,
    generator: Generator,
    progress: bool,
) -> dict[str, Any]:
    """accuracy is the share of test images classified right, cross_entropy is in nats per image.

    The codes kept are the features below the last linear layer.
    """
    with torch.no_grad():
        loss = cross_entropy(model, test)["loss"]
        right = model(test.images).argmax(1) == test.labels
    return {"accuracy": round(right.double().mean().item(), 4), "cross_entropy": _mean(loss)}


def _reconstruction(model: VAE, test: ImageSet) -> dict[str, Any]:
    errors = bounds.reconstruction_errors(model, test)
    return {
        "frobenius_pixels": round(errors.mean().item(), 4),
        "active_units": int(bounds.active_units(model.codes(test).mu).sum()),
    }


def _bounds(
    model: VAE, test: ImageSet, n_samples: int, generator: Generator, progress: bool
) -> dict[str, Any]:
    bound = bounds.elbo(model, test, 10, generator)
    metrics: dict[str, Any] = {
        "elbo": _mean(bound.elbo),
        "log_p_x_given_z": _mean(bound.log_prob),
        "kl": _mean(bound.kl),
    }
    if n_samples and model.latent_dim <= 2:
        # Where a posterior is too narrow for the grid, a run of hours must not end without a card.
        with suppress(ValueError):
            metrics["log_p_grid"] = _mean(bounds.log_evidence_grid(model, test))
    if n_samples:
        estimate = bounds.log_evidence(model, test, n_samples, generator, progress)
        metrics["log_p_iw"] = _mean(estimate) | {"samples": n_samples}
    return metrics


def _frobenius(decoded: Tensor, images: ImageSet) -> float:
    return round((decoded - images.images).flatten(1).norm(dim=1).mean().item(), 4)


def _mean(values: Tensor) -> dict[str, float]:
    error = values.std() / len(values) ** 0.5
    return {"nats": round(values.mean().item(), 3), "standard_error": round(error.item(), 3)}
