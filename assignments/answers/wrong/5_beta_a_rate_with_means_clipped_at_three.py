# a rate with means clipped at three
# loses: beta-rate-2
def rate(mu, logvar):
    mu = np.clip(mu, -3, 3)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean()
