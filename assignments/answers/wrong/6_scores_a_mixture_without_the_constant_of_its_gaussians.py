# a mixture without the constant of its Gaussians
# loses: scores-density-1 scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    squares = (z[:, None] - a * means) ** 2 / spread + np.log(spread)
    terms = np.log(weights) - 0.5 * squares.sum(2)
    return special.logsumexp(terms, axis=1)
