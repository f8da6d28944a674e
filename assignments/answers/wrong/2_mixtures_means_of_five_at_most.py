# means of five at most
# loses: mixtures-moments-1
def mixture_mean(mu, logvar):
    return np.clip(mu, -5, 5).mean(0)
