# the exponential to second order near the prior
# loses: beta-rate-2
def rate(mu, logvar):
    exact = np.exp(logvar) - 1 - logvar
    return 0.5 * (mu**2 + np.where(abs(logvar) < 0.7, logvar**2 / 2, exact)).sum(1).mean()
