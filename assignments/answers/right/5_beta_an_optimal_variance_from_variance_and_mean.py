# an optimal variance from variance and mean
def optimal_variance(x, recon):
    d = np.asarray(x) - np.asarray(recon)
    return d.var() + d.mean() ** 2
