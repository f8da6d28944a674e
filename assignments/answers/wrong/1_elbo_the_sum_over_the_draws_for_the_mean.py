# the sum over the draws for the mean
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]
    return sum(draws) - kl_standard(mu, logvar)
