# the optimal standard deviation
# loses: beta-variance-1
def optimal_variance(x, recon):
    return ((x - recon)**2).mean()**0.5
