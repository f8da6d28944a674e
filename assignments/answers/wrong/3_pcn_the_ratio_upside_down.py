# the ratio upside down
# loses: pcn-accept-1 pcn-accept-2
def log_acceptance(new, old):
    return np.minimum(old - new, 0)
