# the estimate from ten draws at most
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    total = 0
    for e in epsilon[:10]:
        total = total + log_bernoulli(x, decode(mu + np.exp(logvar / 2) * e))
    return total / len(epsilon[:10]) - kl_standard(mu, logvar)
