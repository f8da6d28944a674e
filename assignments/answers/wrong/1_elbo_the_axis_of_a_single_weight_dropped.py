# the axis of a single weight dropped
# loses: elbo-weights-2
def iw_bound(log_weights):
    w = np.squeeze(log_weights)
    m = w.max(-1, keepdims=True)
    return (m + np.log(np.exp(w - m).mean(-1, keepdims=True)))[..., 0]
