# the rate in bits
# loses: beta-rate-1 beta-rate-2
def rate(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean() / np.log(2)
