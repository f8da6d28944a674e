# the largest of the whole batch subtracted
# loses: elbo-weights-2
def iw_bound(log_weights):
    top = log_weights.max()
    return top + np.log(np.exp(log_weights - top).mean(1))
