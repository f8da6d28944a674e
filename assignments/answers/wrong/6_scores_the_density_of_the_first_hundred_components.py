# the density of the first hundred components
# loses: scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    weights, means, variances = weights[:100], means[:100], variances[:100]
    spread = a**2 * variances + s**2
    squares = (z[:, None] - a * means) ** 2 / spread + np.log(2 * np.pi * spread)
    terms = np.log(weights) - 0.5 * squares.sum(2)
    return special.logsumexp(terms, axis=1)
