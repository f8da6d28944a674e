# a mean without the tenth on either side
# loses: mixtures-moments-1
def mixture_mean(mu, logvar):
    return stats.trim_mean(mu, 0.1)
