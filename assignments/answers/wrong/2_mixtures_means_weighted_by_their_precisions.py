# means weighted by their precisions
# loses: mixtures-moments-1
def mixture_mean(mu, logvar):
    w = np.exp(-logvar); return (w * mu).sum(0) / w.sum(0)
