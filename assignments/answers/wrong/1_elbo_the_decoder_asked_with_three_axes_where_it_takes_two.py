# the decoder asked with three axes where it takes two
# loses: elbo-estimator-1 elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    logits = decode(mu + np.exp(logvar / 2) * epsilon)
    each = (x * logits - np.logaddexp(0, logits)).sum(2).mean(0)
    return each - 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
