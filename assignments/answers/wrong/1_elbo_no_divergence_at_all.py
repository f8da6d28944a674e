# no divergence at all
# loses: elbo-estimator-1 elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]
    return sum(draws) / len(draws)
