# second moments without the mean subtracted
# loses: mixtures-moments-2 mixtures-moments-3 mixtures-moments-4
def mixture_covariance(mu, logvar):
    return np.diag(np.exp(logvar).mean(0)) + mu.T @ mu / len(mu)
