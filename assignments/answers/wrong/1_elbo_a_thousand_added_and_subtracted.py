# a thousand added and subtracted
# loses: elbo-weights-2
def iw_bound(log_weights):
    return np.log(np.exp(log_weights + 1000).mean(1)) - 1000 if log_weights.max() < -500 else np.log(np.exp(log_weights).mean(1))
