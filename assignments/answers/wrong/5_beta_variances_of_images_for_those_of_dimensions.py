# variances of images for those of dimensions
# loses: beta-active-1 beta-active-2
def active_units(mu, threshold):
    return mu.var(1) > threshold
