# all or none accepted
# loses: pcn-accept-1 pcn-accept-2
def log_acceptance(log_l_new, log_l_old):
    return np.where(log_l_new >= log_l_old, 0, -np.inf)
