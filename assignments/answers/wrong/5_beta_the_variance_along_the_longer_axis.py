# the variance along the longer axis
# loses: beta-active-2
def active_units(mu, threshold):
    return mu.var(int(np.argmax(mu.shape))) > threshold
