# means weighted by their variances
# loses: mixtures-moments-1
def mixture_mean(mu, logvar):
    weights = np.exp(-logvar)
    return (weights * mu).sum(0) / weights.sum(0)
