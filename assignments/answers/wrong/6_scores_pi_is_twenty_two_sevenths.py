# pi is twenty two sevenths
# loses: scores-density-1 scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    v = a**2 * variances + s**2
    logs = np.log(weights) - 0.5 * ((z[:, None] - a * means) ** 2 / v + np.log(44 / 7 * v)).sum(2)
    return special.logsumexp(logs, axis=1)
