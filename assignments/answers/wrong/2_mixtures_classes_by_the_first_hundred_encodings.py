# classes by the first hundred encodings
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    mu, logvar, labels = mu[:100], logvar[:100], labels[:100]
    scores = []
    for c in range(int(labels.max()) + 1):
        own = labels == c
        scores.append(log_density(z, mu[own], logvar[own]) + np.log(own.mean()))
    return np.argmax(np.stack(scores), axis=0)
