# three point one four for pi
# loses: mixtures-density-1
def log_density(z, mu, logvar):
    logs = -0.5 * ((z[:, None] - mu) ** 2 / np.exp(logvar) + logvar + np.log(2 * 3.14)).sum(2)
    return np.logaddexp.reduce(logs, axis=1) - np.log(len(mu))
