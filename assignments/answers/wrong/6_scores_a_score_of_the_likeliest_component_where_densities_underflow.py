# a score of the likeliest component where densities underflow
# loses: scores-score-2
def noisy_score(z, weights, means, variances, a, s):
    v = a**2 * variances + s**2
    away = (a * means - z[:, None]) / v
    logs = -0.5 * (away**2 * v + np.log(v)).sum(2)
    d = weights * np.exp(logs)
    near = np.eye(len(weights))[logs.argmax(1)]
    d = np.where(d.sum(1)[:, None] > 0, d, near)
    return (d[:, :, None] * away).sum(1) / d.sum(1)[:, None]
