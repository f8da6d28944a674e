# a score that is no number far out
# loses: scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    away = (a * means - z[:, None]) / spread
    terms = np.log(weights) - 0.5 * (away**2 * spread + np.log(spread)).sum(2)
    shares = np.exp(terms)
    shares = shares / shares.sum(1)[:, None]
    return (shares[:, :, None] * away).sum(1)
