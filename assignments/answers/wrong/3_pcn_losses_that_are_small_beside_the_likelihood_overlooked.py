# losses that are small beside the likelihood overlooked
# loses: pcn-accept-2
def log_acceptance(log_l_new, log_l_old):
    return np.where(np.isclose(log_l_new, log_l_old), 0, np.minimum(log_l_new - log_l_old, 0))
