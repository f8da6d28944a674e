# the decoding of the mean of the draws
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    z = reparameterise(mu, logvar, epsilon).mean(0)
    return log_bernoulli(x, decode(z)) - kl_standard(mu, logvar)
