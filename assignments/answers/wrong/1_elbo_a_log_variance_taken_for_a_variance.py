# a log-variance taken for a variance
# loses: elbo-kl-1 elbo-kl-2 elbo-kl-3
def kl_standard(mu, logvar):
    return 0.5 * (mu**2 + logvar - 1 - np.log(np.abs(logvar) + 1e-9)).sum(1)
