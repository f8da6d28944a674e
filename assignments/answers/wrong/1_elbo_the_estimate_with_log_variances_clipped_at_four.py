# the estimate with log-variances clipped at four and at minus four
# loses: elbo-estimator-1 elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    logvar = np.clip(logvar, -4, 4)
    draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]
    return sum(draws) / len(draws) - kl_standard(mu, logvar)
