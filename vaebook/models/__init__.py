"""Networks, likelihoods, priors, and the models made of them."""

from vaebook.models.latent import VAE, Autoencoder, Classifier
from vaebook.models.likelihoods import Bernoulli, Gaussian, Likelihood

__all__ = ["VAE", "Autoencoder", "Bernoulli", "Classifier", "Gaussian", "Likelihood"]
