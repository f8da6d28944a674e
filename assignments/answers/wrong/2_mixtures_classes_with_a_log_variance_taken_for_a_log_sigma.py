# classes with a log-variance taken for a log-sigma
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    terms = stats.norm(mu, np.exp(logvar)).pdf(z[:, None]).prod(2)
    return np.argmax([terms[:, labels == c].sum(1) for c in range(labels.max() + 1)], axis=0)
