# a rate of the other sign
# loses: beta-rate-1 beta-rate-2
def rate(mu, logvar):
    return 0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum(1).mean()
