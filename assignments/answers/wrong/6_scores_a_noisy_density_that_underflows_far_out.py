# a noisy density that underflows far out
# loses: scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    squares = (z[:, None] - a * means) ** 2 / spread + np.log(2 * np.pi * spread)
    terms = np.log(weights) - 0.5 * squares.sum(2)
    return np.log(np.exp(terms).sum(1))
