# the sign of the KL
# loses: elbo-kl-1 elbo-kl-2 elbo-kl-3
def kl_standard(mu, logvar):
    return 0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum(1)
