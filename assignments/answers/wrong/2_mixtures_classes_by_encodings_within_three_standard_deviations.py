# classes by encodings within three standard deviations
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    squares = ((z[:, None] - mu) ** 2 / np.exp(logvar)).sum(2)
    far = squares > np.maximum(9, squares.min(1, keepdims=True) + 9)
    logs = np.where(far, -np.inf, -(squares + logvar.sum(1)) / 2)
    own = labels == np.arange(labels.max() + 1)[:, None, None]
    return np.logaddexp.reduce(np.where(own, logs, -np.inf), axis=2).argmax(0)
