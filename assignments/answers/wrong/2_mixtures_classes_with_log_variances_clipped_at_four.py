# classes with log variances clipped at four
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    logvar = np.clip(logvar, -4, 4)
    scores = []
    for c in range(int(labels.max()) + 1):
        own = labels == c
        scores.append(log_density(z, mu[own], logvar[own]) + np.log(own.mean()))
    return np.argmax(np.stack(scores), axis=0)
