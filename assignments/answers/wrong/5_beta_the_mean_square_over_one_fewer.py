# the mean square over one fewer
# loses: beta-variance-1
def optimal_variance(x, recon):
    return ((x - recon) ** 2).sum() / (x.size - 1)
