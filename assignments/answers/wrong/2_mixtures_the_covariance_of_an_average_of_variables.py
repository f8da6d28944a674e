# the covariance of an average of variables
# loses: mixtures-moments-3 mixtures-moments-4
def mixture_covariance(mu, logvar):
    return np.diag(np.exp(logvar).sum(0)) / len(mu)**2
