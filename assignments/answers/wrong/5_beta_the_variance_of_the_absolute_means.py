# the variance of the absolute means
# loses: beta-active-1
def active_units(mu, threshold):
    return np.abs(mu).var(0) > threshold
