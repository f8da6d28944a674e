# a ratio of likelihoods that underflows
# loses: pcn-accept-1 pcn-accept-2
def log_acceptance(log_l_new, log_l_old):
    return np.log(np.minimum(1, np.exp(log_l_new) / np.exp(log_l_old)))
