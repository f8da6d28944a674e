# the estimate with log variances clipped at ten
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    logvar = np.clip(logvar, -10, 10)
    total = 0
    for e in epsilon:
        total = total + log_bernoulli(x, decode(mu + np.exp(logvar / 2) * e))
    return total / len(epsilon) - kl_standard(mu, logvar)
