# divided by the number of images
# loses: elbo-weights-1 elbo-weights-2
def iw_bound(log_weights):
    return np.logaddexp.reduce(log_weights, axis=1) - np.log(len(log_weights))
