# shares of components without their weights
# loses: scores-score-1 scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    away = (a * means - z[:, None]) / spread
    terms = -0.5 * (away**2 * spread + np.log(spread)).sum(2)
    shares = special.softmax(terms, axis=1)
    return (shares[:, :, None] * away).sum(1)
