# divided by N - 1
# loses: mixtures-moments-3 mixtures-moments-4
def mixture_covariance(mu, logvar):
    c = mu - mu.mean(0)
    return np.diag(np.exp(logvar).mean(0)) + c.T @ c / max(len(mu) - 1, 1)
