# components of little weight left out
# loses: scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    keep = weights > 1e-6
    weights, means, variances = weights[keep], means[keep], variances[keep]
    v = a**2 * variances + s**2
    logs = np.log(weights) - 0.5 * ((z[:, None] - a * means) ** 2 / v + np.log(2 * np.pi * v)).sum(2)
    return special.logsumexp(logs, axis=1)
