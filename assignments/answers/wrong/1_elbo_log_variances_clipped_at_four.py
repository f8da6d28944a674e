# log-variances clipped at four and at minus four
# loses: elbo-kl-1 elbo-kl-3
def kl_standard(mu, logvar):
    logvar = np.clip(logvar, -4, 4)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
