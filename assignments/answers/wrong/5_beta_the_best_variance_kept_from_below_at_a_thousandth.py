# the best variance kept from below at a thousandth
# loses: beta-variance-1
def optimal_variance(x, recon):
    return max(((x - recon) ** 2).mean(), 1e-3)
