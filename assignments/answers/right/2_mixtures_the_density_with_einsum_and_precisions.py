# the density with einsum and precisions
def log_density(z, mu, logvar):
    z, mu, precision = np.asarray(z), np.asarray(mu), np.exp(-np.asarray(logvar))
    squares = (
        np.einsum("md,nd->mn", z**2, precision)
        - 2 * np.einsum("md,nd->mn", z, precision * mu)
        + (precision * mu**2).sum(1)
    )
    logs = -0.5 * (squares + np.asarray(logvar).sum(1) + mu.shape[1] * np.log(2 * np.pi))
    top = logs.max(1, keepdims=True)
    return (top + np.log(np.exp(logs - top).mean(1, keepdims=True)))[:, 0]
