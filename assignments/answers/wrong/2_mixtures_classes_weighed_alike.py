# classes weighed alike
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    s = [log_density(z, mu[labels == c], logvar[labels == c]) for c in range(labels.max() + 1)]
    return np.argmax(s, axis=0)
