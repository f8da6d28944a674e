# the noise scaled by the log-variance
# loses: elbo-reparameterise-1 elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return mu + logvar * epsilon
