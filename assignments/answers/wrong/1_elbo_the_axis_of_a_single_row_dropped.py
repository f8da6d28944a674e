# the axis of a single row dropped
# loses: elbo-kl-3
def kl_standard(mu, logvar):
    mu, logvar = np.squeeze(mu), np.squeeze(logvar)
    if mu.ndim == 1:
        return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
