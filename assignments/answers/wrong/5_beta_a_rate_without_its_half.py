# a rate without its half
# loses: beta-rate-1 beta-rate-2
def rate(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean()
