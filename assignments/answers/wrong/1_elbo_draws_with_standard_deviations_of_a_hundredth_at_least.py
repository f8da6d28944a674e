# draws with standard deviations of a hundredth at least
# loses: elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return mu + np.maximum(np.exp(logvar / 2), 1e-2) * epsilon
