# a covariance with log variances clipped at ten
# loses: mixtures-moments-2
def mixture_covariance(mu, logvar):
    c = mu - mu.mean(0)
    return np.diag(np.exp(np.clip(logvar, -10, 10)).mean(0)) + c.T @ c / len(mu)
