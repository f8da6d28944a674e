# classes by densities without their normalising constant
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    terms = np.exp(-((z[:, None] - mu) ** 2 / np.exp(logvar)).sum(2) / 2)
    return np.argmax([terms[:, labels == c].sum(1) for c in range(labels.max() + 1)], axis=0)
