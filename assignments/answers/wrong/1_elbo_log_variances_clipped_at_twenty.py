# log-variances clipped at twenty
# loses: elbo-kl-1 elbo-kl-3
def kl_standard(mu, logvar):
    logvar = np.clip(logvar, -30, 20)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
