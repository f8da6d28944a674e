# the mean inside the scale
# loses: elbo-reparameterise-1 elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return np.exp(logvar / 2) * (mu + epsilon)
