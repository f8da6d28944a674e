# a log-variance taken for a log-sigma in a density
# loses: mixtures-density-1 mixtures-density-2 mixtures-density-3
def log_density(z, mu, logvar):
    logs = -0.5 * ((z[:, None] - mu)**2 / np.exp(2 * logvar) + 2 * logvar + np.log(2 * np.pi)).sum(2)
    return np.logaddexp.reduce(logs, axis=1) - np.log(len(mu))
