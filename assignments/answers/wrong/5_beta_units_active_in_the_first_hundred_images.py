# units active in the first hundred images
# loses: beta-active-1
def active_units(mu, threshold):
    return mu[:100].var(0) > threshold
