# a covariance of images in place of dimensions
# loses: mixtures-moments-2 mixtures-moments-3 mixtures-moments-4
def mixture_covariance(mu, logvar):
    c = mu - mu.mean(0)
    return np.diag(np.exp(logvar).mean(1)) + c @ c.T / len(mu)
