# the axis of a single dimension of the points dropped
# loses: mixtures-density-1 mixtures-density-2
def log_density(z, mu, logvar):
    z = np.squeeze(z)
    squares = (z[..., None, :] - mu) ** 2 / np.exp(logvar)
    logs = -0.5 * (squares + logvar + np.log(2 * np.pi)).sum(-1)
    return np.logaddexp.reduce(logs, axis=0 if z.ndim == 1 else 1) - np.log(len(mu))
