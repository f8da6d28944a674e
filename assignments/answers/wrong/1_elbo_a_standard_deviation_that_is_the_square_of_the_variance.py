# a standard deviation that is the square of the variance
# loses: elbo-reparameterise-1 elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return mu + np.exp(2 * logvar) * epsilon
