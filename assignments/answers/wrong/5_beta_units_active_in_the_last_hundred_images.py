# units active in the last hundred images
# loses: beta-active-2
def active_units(mu, threshold):
    return mu[-100:].var(0) > threshold
