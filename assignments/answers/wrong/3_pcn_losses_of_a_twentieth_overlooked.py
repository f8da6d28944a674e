# losses of a twentieth overlooked
# loses: pcn-accept-2
def log_acceptance(log_l_new, log_l_old):
    c = log_l_new - log_l_old
    return np.where(c > -0.05, 0, c)
