# the covariance from second moments
def mixture_covariance(mu, logvar):
    mu = np.asarray(mu, dtype=float)
    second = (mu[:, :, None] * mu[:, None, :]).mean(0) + np.diag(np.mean(np.exp(logvar), axis=0))
    return second - np.outer(mu.mean(0), mu.mean(0))
