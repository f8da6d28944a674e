# the axis of a single dimension of means dropped
# loses: beta-active-2
def active_units(mu, threshold):
    mu = np.squeeze(mu)
    return mu.var(-2) > threshold
