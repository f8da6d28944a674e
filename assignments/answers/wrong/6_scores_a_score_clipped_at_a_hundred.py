# a score clipped at a hundred
# loses: scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    away = (a * means - z[:, None]) / spread
    terms = np.log(weights) - 0.5 * (away**2 * spread + np.log(spread)).sum(2)
    return np.clip((special.softmax(terms, axis=1)[:, :, None] * away).sum(1), -100, 100)
