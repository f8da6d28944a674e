# ten classes at most
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    scores = np.full((10, len(z)), -np.inf)
    for c in range(10):
        own = labels == c
        if own.any():
            scores[c] = log_density(z, mu[own], logvar[own]) + np.log(own.mean())
    return scores.argmax(0)
