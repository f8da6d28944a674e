# the second moment for the variance
# loses: beta-active-2
def active_units(mu, threshold):
    return (mu**2).mean(0) > threshold
