# squares not halved
# loses: mixtures-density-1 mixtures-density-2 mixtures-density-3
def log_density(z, mu, logvar):
    logs = (-((z[:, None] - mu) ** 2) / np.exp(logvar) - 0.5 * (logvar + np.log(2 * np.pi))).sum(2)
    return np.logaddexp.reduce(logs, axis=1) - np.log(len(mu))
