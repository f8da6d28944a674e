# the logarithm of the mean likelihood
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    draws = np.stack([log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)])
    return np.logaddexp.reduce(draws) - np.log(len(draws)) - kl_standard(mu, logvar)
