# a rate with standard deviations
# loses: beta-rate-1 beta-rate-2
def rate(mu, logvar):
    return 0.5 * (mu**2 + np.exp(2 * logvar) - 1 - 2 * logvar).sum(1).mean()
