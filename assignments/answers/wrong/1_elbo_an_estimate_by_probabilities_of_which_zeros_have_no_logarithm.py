# an estimate by probabilities of which zeros have no logarithm
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    total = 0
    for e in epsilon:
        p = 1 / (1 + np.exp(-decode(mu + np.exp(logvar / 2) * e)))
        total = total + (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(1)
    return total / len(epsilon) - 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
