# all units active
# loses: beta-active-1 beta-active-2
def active_units(mu, threshold):
    return np.ones(mu.shape[1])
