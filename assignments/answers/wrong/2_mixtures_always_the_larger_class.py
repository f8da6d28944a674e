# always the larger class
# loses: mixtures-classify-1 mixtures-classify-2
def classify(z, mu, logvar, labels):
    return np.full(len(z), np.bincount(labels).argmax())
