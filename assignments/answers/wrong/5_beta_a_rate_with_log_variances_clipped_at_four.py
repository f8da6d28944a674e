# a rate with log-variances clipped at four and at minus four
# loses: beta-rate-2
def rate(mu, logvar):
    logvar = np.clip(logvar, -4, 4)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean()
