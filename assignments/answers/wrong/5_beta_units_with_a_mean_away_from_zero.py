# units with a mean away from zero
# loses: beta-active-1 beta-active-2
def active_units(mu, threshold):
    return np.abs(mu.mean(0)) > threshold
