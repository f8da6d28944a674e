# classes by the hundred likeliest encodings
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    logs = -((z[:, None] - mu) ** 2 / np.exp(logvar) + logvar).sum(2) / 2
    best = np.argsort(-logs, axis=1)[:, :100]
    near = np.take_along_axis(logs, best, axis=1)
    own = labels[best] == np.arange(labels.max() + 1)[:, None, None]
    return np.logaddexp.reduce(np.where(own, near, -np.inf), axis=2).argmax(0)
