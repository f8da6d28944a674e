# the prior put into the ratio
# loses: pcn-accept-1 pcn-accept-2
def log_acceptance(log_l_new, log_l_old):
    return np.minimum(0, log_l_new - log_l_old - 0.5)
