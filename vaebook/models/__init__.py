"""Networks, likelihoods, priors, and the models made of them."""

from vaebook.models.latent import VAE, Autoencoder, Classifier, Codes, evaluating
from vaebook.models.likelihoods import (
    Bernoulli,
    ConstrainedGaussian,
    Gaussian,
    GecoGaussian,
    LearnedGaussian,
    Likelihood,
    OptimalGaussian,
)

__all__ = [
    "VAE",
    "Autoencoder",
    "Bernoulli",
    "Classifier",
    "Codes",
    "ConstrainedGaussian",
    "Gaussian",
    "GecoGaussian",
    "LearnedGaussian",
    "Likelihood",
    "OptimalGaussian",
    "evaluating",
]
