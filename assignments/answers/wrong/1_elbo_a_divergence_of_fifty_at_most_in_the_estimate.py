# a divergence of fifty at most in the estimate
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    total = 0
    for e in epsilon:
        total = total + log_bernoulli(x, decode(mu + np.exp(logvar / 2) * e))
    return total / len(epsilon) - np.minimum(kl_standard(mu, logvar), 50)
