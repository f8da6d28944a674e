# the class of the nearest encoding
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    return labels[((z[:, None] - mu) ** 2).sum(2).argmin(1)]
