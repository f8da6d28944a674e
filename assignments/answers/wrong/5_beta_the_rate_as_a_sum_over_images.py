# the rate as a sum over images
# loses: beta-rate-2
def rate(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()
