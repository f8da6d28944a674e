# units whose range exceeds the threshold
# loses: beta-active-1 beta-active-2
def active_units(mu, threshold):
    return mu.max(0) - mu.min(0) > threshold
