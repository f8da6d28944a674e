# the variance subtracted in place of its logarithm
# loses: elbo-kl-1 elbo-kl-2 elbo-kl-3
def kl_standard(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - np.exp(logvar)).sum(1)
