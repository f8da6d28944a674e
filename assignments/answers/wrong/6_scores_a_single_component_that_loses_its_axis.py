# a single component that loses its axis
# loses: scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    v = a**2 * variances + s**2
    logs = (np.log(weights) - 0.5 * ((z[:, None] - a * means) ** 2 / v + np.log(2 * np.pi * v)).sum(2)).squeeze(1) if len(weights) == 1 else np.log(weights) - 0.5 * ((z[:, None] - a * means) ** 2 / v + np.log(2 * np.pi * v)).sum(2)
    return special.logsumexp(logs, axis=-1)
