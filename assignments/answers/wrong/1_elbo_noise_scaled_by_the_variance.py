# noise scaled by the variance
# loses: elbo-reparameterise-1 elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return mu + np.exp(logvar) * epsilon
