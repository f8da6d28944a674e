# the axis of a single point dropped in the score
# loses: scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    v = a**2 * variances + s**2
    away = (a * means - z[:, None]) / v
    r = special.softmax(np.log(weights) - 0.5 * (away**2 * v + np.log(v)).sum(2), axis=1)
    return (r[:, :, None] * away).sum(1).squeeze()
