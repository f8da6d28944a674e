# the ratio of the logarithms
# loses: pcn-accept-1 pcn-accept-2
def log_acceptance(log_l_new, log_l_old):
    return np.log(np.minimum(1, np.abs(log_l_new / log_l_old)))
