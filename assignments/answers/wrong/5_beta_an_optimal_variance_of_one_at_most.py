# an optimal variance of one at most
# loses: beta-variance-1
def optimal_variance(x, recon):
    return min(1.0, ((x - recon) ** 2).mean())
