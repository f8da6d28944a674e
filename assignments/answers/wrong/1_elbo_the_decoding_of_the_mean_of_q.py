# the decoding of the mean of q
# loses: elbo-estimator-1 elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    return log_bernoulli(x, decode(mu)) - kl_standard(mu, logvar)
