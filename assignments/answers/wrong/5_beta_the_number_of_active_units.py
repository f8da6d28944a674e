# the number of active units
# loses: beta-active-1 beta-active-2
def active_units(mu, threshold):
    return (mu.var(0) > threshold).sum()
