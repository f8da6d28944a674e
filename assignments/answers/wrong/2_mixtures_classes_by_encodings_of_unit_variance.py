# classes by encodings of unit variance
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    n = labels.max() + 1
    s = [log_density(z, mu[labels == c], 0 * logvar[labels == c]) for c in range(n)]
    return np.argmax([t + np.log((labels == c).mean()) for c, t in enumerate(s)], axis=0)
