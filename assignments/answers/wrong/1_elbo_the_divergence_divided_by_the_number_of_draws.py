# the divergence divided by the number of draws
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]
    return (sum(draws) - kl_standard(mu, logvar)) / len(draws)
