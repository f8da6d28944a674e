# an acceptance that is clipped
def log_acceptance(log_l_new, log_l_old):
    return np.clip(np.subtract(log_l_new, log_l_old), -np.inf, 0)
