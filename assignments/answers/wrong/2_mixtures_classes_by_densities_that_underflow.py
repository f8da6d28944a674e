# classes by densities that underflow
# loses: mixtures-classify-2
def classify(z, mu, logvar, labels):
    joint = []
    for c in range(int(labels.max()) + 1):
        own = labels == c
        joint.append(np.exp(log_density(z, mu[own], logvar[own])) * own.mean())
    return np.argmax(np.stack(joint), axis=0)
