# a density of the nearest alone where all underflow
# loses: scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    v = a**2 * variances + s**2
    logs = np.log(weights) - 0.5 * ((z[:, None] - a * means) ** 2 / v + np.log(2 * np.pi * v)).sum(2)
    total = np.exp(logs).sum(1)
    with np.errstate(divide="ignore"):
        return np.where(total > 0, np.log(total), logs.max(1))
