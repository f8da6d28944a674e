# the first draw only
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    z = reparameterise(mu, logvar, epsilon)[0]
    return log_bernoulli(x, decode(z)) - kl_standard(mu, logvar)
