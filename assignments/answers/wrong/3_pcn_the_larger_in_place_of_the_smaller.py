# the larger in place of the smaller
# loses: pcn-accept-1 pcn-accept-2
def log_acceptance(log_l_new, log_l_old):
    return np.maximum(0, log_l_new - log_l_old)
