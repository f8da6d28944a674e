# the divergence to the posterior from the prior
# loses: elbo-kl-1 elbo-kl-3
def kl_standard(mu, logvar):
    return 0.5 * ((1 + mu**2) / np.exp(logvar) - 1 + logvar).sum(1)
