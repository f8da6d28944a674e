# a small number on the diagonal of the covariance
# loses: mixtures-moments-2
def mixture_covariance(mu, logvar):
    c = mu - mu.mean(0)
    return np.diag(np.exp(logvar).mean(0) + 1e-4) + c.T @ c / len(mu)
