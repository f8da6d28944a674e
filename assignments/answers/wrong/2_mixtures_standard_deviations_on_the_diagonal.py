# standard deviations on the diagonal
# loses: mixtures-moments-2 mixtures-moments-4
def mixture_covariance(mu, logvar):
    c = mu - mu.mean(0)
    return np.diag(np.exp(logvar / 2).mean(0)) + c.T @ c / len(mu)
