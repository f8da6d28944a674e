# a small number added to the spread in the density
# loses: scores-density-1 scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2 + 1e-3
    squares = (z[:, None] - a * means) ** 2 / spread + np.log(2 * np.pi * spread)
    return special.logsumexp(np.log(weights) - 0.5 * squares.sum(2), axis=1)
