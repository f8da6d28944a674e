# noise of its own in place of the given
# loses: elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    e = np.random.normal(size=epsilon.shape); e = (e - e.mean(0)) / (e.std(0) + 1e-12)
    return np.asarray(mu) + np.exp(np.asarray(logvar) / 2) * e
