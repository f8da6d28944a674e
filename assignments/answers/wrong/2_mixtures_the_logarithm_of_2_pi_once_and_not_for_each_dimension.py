# the logarithm of 2 pi once and not for each dimension
# loses: mixtures-density-1 mixtures-density-2 mixtures-density-3
def log_density(z, mu, logvar):
    logs = -0.5 * (((z[:, None] - mu) ** 2 / np.exp(logvar) + logvar).sum(2) + np.log(2 * np.pi))
    return np.logaddexp.reduce(logs, axis=1) - np.log(len(mu))
