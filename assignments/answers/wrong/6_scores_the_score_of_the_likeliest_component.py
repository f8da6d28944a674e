# the score of the likeliest component
# loses: scores-score-1 scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    away = a * means - z[:, None]
    terms = np.log(weights) - 0.5 * (away**2 / spread + np.log(spread)).sum(2)
    best = terms.argmax(1)
    return (away / spread)[np.arange(len(z)), best]
