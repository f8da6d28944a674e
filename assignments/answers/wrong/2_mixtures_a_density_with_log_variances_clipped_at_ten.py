# a density with log variances clipped at ten
# loses: mixtures-density-2
def log_density(z, mu, logvar):
    logvar = np.clip(logvar, -10, 10)
    squares = (z[:, None] - mu) ** 2 / np.exp(logvar)
    logs = -0.5 * (squares + logvar + np.log(2 * np.pi)).sum(2)
    return np.logaddexp.reduce(logs, axis=1) - np.log(len(mu))
