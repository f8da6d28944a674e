# points paired with components where there are equally many
# loses: scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    v = a**2 * variances + s**2
    if z.shape == means.shape:
        return (a * means - z) / v
    away = (a * means - z[:, None]) / v
    r = special.softmax(np.log(weights) - 0.5 * (away**2 * v + np.log(v)).sum(2), axis=1)
    return (r[:, :, None] * away).sum(1)
