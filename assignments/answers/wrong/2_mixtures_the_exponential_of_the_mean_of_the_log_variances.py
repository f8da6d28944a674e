# the exponential of the mean of the log-variances
# loses: mixtures-moments-4
def mixture_covariance(mu, logvar):
    c = mu - mu.mean(0)
    return np.diag(np.exp(logvar.mean(0))) + c.T @ c / len(mu)
