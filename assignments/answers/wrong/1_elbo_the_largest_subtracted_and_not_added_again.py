# the largest subtracted and not added again
# loses: elbo-weights-1 elbo-weights-2
def iw_bound(log_weights):
    top = log_weights.max(1)
    return np.log(np.exp(log_weights - top[:, None]).mean(1))
