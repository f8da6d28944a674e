# the axis of a single encoding dropped in the mean
# loses: mixtures-moments-1
def mixture_mean(mu, logvar):
    return mu.squeeze().mean(0)
