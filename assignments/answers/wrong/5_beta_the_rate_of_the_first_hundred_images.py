# the rate of the first hundred images
# loses: beta-rate-2
def rate(mu, logvar):
    mu, logvar = mu[:100], logvar[:100]
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean()
