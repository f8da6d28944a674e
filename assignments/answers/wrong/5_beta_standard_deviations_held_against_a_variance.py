# standard deviations held against a variance
# loses: beta-active-1 beta-active-2
def active_units(mu, threshold):
    return mu.std(0) > threshold
