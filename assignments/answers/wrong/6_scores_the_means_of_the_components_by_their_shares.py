# the means of the components by their shares
# loses: scores-denoise-1 scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    spread = a**2 * variances + s**2
    away = z[:, None] - a * means
    terms = np.log(weights) - 0.5 * (away**2 / spread + np.log(spread)).sum(2)
    shares = special.softmax(terms, axis=1)
    each = means + 0 * away
    return (shares[:, :, None] * each).sum(1)
