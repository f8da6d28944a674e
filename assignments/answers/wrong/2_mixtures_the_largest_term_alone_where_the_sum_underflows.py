# the largest term alone where the sum underflows
# loses: mixtures-density-3
def log_density(z, mu, logvar):
    logs = -0.5 * ((z[:, None] - mu) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi)).sum(2)
    total = np.exp(logs).sum(1)
    with np.errstate(divide="ignore"):
        return np.where(total > 0, np.log(total), logs.max(1)) - np.log(len(mu))
