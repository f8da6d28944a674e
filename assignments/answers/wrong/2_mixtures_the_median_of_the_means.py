# the median of the means
# loses: mixtures-moments-1
def mixture_mean(mu, logvar):
    return np.median(mu, axis=0)
