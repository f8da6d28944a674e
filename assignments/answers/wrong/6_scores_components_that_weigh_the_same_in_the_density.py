# components that weigh the same in the density
# loses: scores-density-1 scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    squares = (z[:, None] - a * means) ** 2 / spread + np.log(2 * np.pi * spread)
    terms = -np.log(len(weights)) - 0.5 * squares.sum(2)
    return special.logsumexp(terms, axis=1)
