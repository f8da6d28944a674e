# a log-variance taken for a log-sigma
# loses: elbo-kl-1 elbo-kl-3
def kl_standard(mu, logvar):
    return 0.5 * (mu**2 + np.exp(2 * logvar) - 1 - 2 * logvar).sum(1)
