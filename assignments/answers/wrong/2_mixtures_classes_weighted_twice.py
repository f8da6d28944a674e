# classes weighted twice
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    s = [
        log_density(z, mu[labels == c], logvar[labels == c]) + 2 * np.log((labels == c).mean())
        for c in range(labels.max() + 1)
    ]
    return np.argmax(s, axis=0)
