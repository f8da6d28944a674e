# the class of the nearest mean where all densities underflow
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    d = np.exp(-0.5 * ((z[:, None] - mu) ** 2 / np.exp(logvar) + logvar).sum(2))
    joint = np.stack([d[:, labels == c].sum(1) for c in range(labels.max() + 1)], 1)
    near = labels[((z[:, None] - mu) ** 2).sum(2).argmin(1)]
    return np.where(joint.sum(1) > 0, joint.argmax(1), near)
