# a determinant that underflows in the density
# loses: mixtures-density-3
def log_density(z, mu, logvar):
    v = np.exp(logvar)
    logs = -0.5 * (((z[:, None] - mu) ** 2 / v).sum(2) + np.log((2 * np.pi * v).prod(1)))
    return np.logaddexp.reduce(logs, axis=1) - np.log(len(mu))
