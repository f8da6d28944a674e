# a rate with log variances clipped at ten
# loses: beta-rate-2
def rate(mu, logvar):
    logvar = np.clip(logvar, -10, 10)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean()
