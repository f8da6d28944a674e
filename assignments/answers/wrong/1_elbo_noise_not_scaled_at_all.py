# noise not scaled at all
# loses: elbo-reparameterise-1 elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return mu + epsilon
