# the factor of the mean in the variance, not its square
# loses: scores-density-1 scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    spread = a * variances + s**2
    squares = (z[:, None] - a * means) ** 2 / spread + np.log(2 * np.pi * spread)
    terms = np.log(weights) - 0.5 * squares.sum(2)
    return special.logsumexp(terms, axis=1)
