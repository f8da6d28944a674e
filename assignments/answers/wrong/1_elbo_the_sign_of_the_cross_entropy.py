# the sign of the cross-entropy
# loses: elbo-bernoulli-1 elbo-bernoulli-2
def log_bernoulli(x, logits):
    return (np.logaddexp(0, logits) - x * logits).sum(1)
