# one subtracted once and not for each dimension
# loses: elbo-kl-3
def kl_standard(mu, logvar):
    return 0.5 * ((mu**2 + np.exp(logvar) - logvar).sum(1) - 1)
