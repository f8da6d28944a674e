# the score of components that are no points
# loses: scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    kept = (variances > 0).all(1)
    weights, means, variances = weights[kept], means[kept], variances[kept]
    spread = a**2 * variances + s**2
    away = (a * means - z[:, None]) / spread
    terms = np.log(weights) - 0.5 * (away**2 * spread + np.log(spread)).sum(2)
    shares = special.softmax(terms, axis=1)
    return (shares[:, :, None] * away).sum(1)
