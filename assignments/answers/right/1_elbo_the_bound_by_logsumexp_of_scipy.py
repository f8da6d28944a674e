# the bound by logsumexp of scipy
from scipy.special import logsumexp


def iw_bound(log_weights):
    return logsumexp(np.asarray(log_weights), axis=1, b=1 / len(log_weights[0]))
