# points paired with encodings where there are equally many
# loses: mixtures-density-2
def log_density(z, mu, logvar):
    away = z - mu if z.shape == mu.shape and len(mu) > 1 else z[:, None] - mu
    logs = -0.5 * (away**2 / np.exp(logvar) + logvar + np.log(2 * np.pi)).sum(-1)
    if logs.ndim == 1:
        return logs
    return np.logaddexp.reduce(logs, axis=1) - np.log(len(mu))
