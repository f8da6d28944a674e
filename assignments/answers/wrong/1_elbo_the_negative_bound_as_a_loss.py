# the negative bound, as a loss
# loses: elbo-estimator-1 elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]
    return kl_standard(mu, logvar) - sum(draws) / len(draws)
