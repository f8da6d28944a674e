# the probability for its logarithm
# loses: pcn-accept-1 pcn-accept-2
def log_acceptance(new, old):
    return np.exp(np.minimum(new - old, 0))
