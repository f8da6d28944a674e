# log-variances clipped at ten and at minus ten
# loses: elbo-kl-1 elbo-kl-3
def kl_standard(mu, logvar):
    logvar = np.clip(logvar, -10, 10)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
