# the least probable class
# loses: mixtures-classify-1 mixtures-classify-2
def classify(z, mu, logvar, labels):
    s = [log_density(z, mu[labels == c], logvar[labels == c]) + np.log((labels == c).mean()) for c in range(labels.max() + 1)]
    return np.argmin(s, axis=0)
