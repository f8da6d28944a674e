# the noise subtracted
# loses: elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return mu - np.exp(logvar / 2) * epsilon
