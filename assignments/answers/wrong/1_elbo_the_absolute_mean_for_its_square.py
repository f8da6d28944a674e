# the absolute mean for its square
# loses: elbo-kl-1 elbo-kl-2 elbo-kl-3
def kl_standard(mu, logvar):
    return 0.5 * (np.abs(mu) + np.exp(logvar) - 1 - logvar).sum(1)
