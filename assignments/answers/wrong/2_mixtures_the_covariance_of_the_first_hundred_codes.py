# the covariance of the first hundred codes
# loses: mixtures-moments-3
def mixture_covariance(mu, logvar):
    mu, logvar = mu[:100], logvar[:100]
    c = mu - mu.mean(0)
    return np.diag(np.exp(logvar).mean(0)) + c.T @ c / len(mu)
