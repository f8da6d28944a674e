# shares for each dimension by itself
# loses: scores-score-1 scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    away = (a * means - z[:, None]) / spread
    terms = np.log(weights)[:, None] - 0.5 * (away**2 * spread + np.log(spread))
    shares = special.softmax(terms, axis=1)
    return (shares * away).sum(1)
