# codes of two dimensions whatever there are
# loses: elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    z = (mu + np.exp(logvar / 2) * epsilon).reshape(-1, 2)
    logits = decode(z).reshape(len(epsilon), -1, x.shape[1])
    each = (x * logits - np.logaddexp(0, logits)).sum(2).mean(0)
    return each - 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
