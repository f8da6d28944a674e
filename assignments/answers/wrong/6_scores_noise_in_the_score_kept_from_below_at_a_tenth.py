# noise in the score kept from below at a tenth
# loses: scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    spread = a**2 * variances + max(s, 0.1) ** 2
    away = (a * means - z[:, None]) / spread
    terms = np.log(weights) - 0.5 * (away**2 * spread + np.log(spread)).sum(2)
    return (special.softmax(terms, 1)[:, :, None] * away).sum(1)
