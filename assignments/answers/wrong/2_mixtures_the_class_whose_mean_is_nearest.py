# the class whose mean is nearest
# loses: mixtures-classify-1 mixtures-classify-2
def classify(z, mu, logvar, labels):
    means = np.stack([mu[labels == c].mean(0) for c in range(labels.max() + 1)])
    return ((z[:, None] - means) ** 2).sum(2).argmin(1)
