# a covariance with log-variances clipped at four and at minus four
# loses: mixtures-moments-2 mixtures-moments-3
def mixture_covariance(mu, logvar):
    centred = mu - mu.mean(0)
    variances = np.exp(np.clip(logvar, -4, 4)).mean(0)
    return np.diag(variances) + centred.T @ centred / len(mu)
