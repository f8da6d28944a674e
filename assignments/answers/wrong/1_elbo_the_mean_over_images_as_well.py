# the mean over images as well
# loses: elbo-estimator-1 elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]
    return np.full(len(x), (sum(draws) / len(draws) - kl_standard(mu, logvar)).mean())
