# a decoder taken to be linear
# loses: elbo-estimator-1 elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    total = 0
    for e in epsilon:
        logits = decode(mu) + decode(np.exp(logvar / 2) * e)
        total = total + (x * logits - np.logaddexp(0, logits)).sum(1) / len(epsilon)
    return total - 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
