# the mean of the first hundred codes
# loses: mixtures-moments-1
def mixture_mean(mu, logvar):
    return mu[:100].mean(0)
