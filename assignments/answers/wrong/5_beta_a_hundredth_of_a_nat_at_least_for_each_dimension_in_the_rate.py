# a hundredth of a nat at least for each dimension in the rate
# loses: beta-rate-2
def rate(mu, logvar):
    return np.maximum(0.5 * (mu**2 + np.exp(logvar) - 1 - logvar), 0.01).sum(1).mean()
