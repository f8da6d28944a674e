# E[z]² in place of the outer product
# loses: mixtures-moments-2 mixtures-moments-3 mixtures-moments-4
def mixture_covariance(mu, logvar):
    second = np.mean([np.diag(np.exp(s)) + np.outer(m, m) for m, s in zip(mu, logvar)], axis=0)
    return second - mu.mean(0)**2
