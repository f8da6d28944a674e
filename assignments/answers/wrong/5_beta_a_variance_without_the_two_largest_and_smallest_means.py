# a variance without the two largest and smallest means
# loses: beta-active-1 beta-active-2
def active_units(mu, threshold):
    return np.sort(mu, 0)[2:-2].var(0) > threshold
