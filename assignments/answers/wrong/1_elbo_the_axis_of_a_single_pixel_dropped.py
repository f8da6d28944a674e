# the axis of a single pixel dropped
# loses: elbo-bernoulli-2
def log_bernoulli(x, logits):
    x, logits = x.squeeze(), logits.squeeze()
    return (x * logits - np.logaddexp(0, logits)).sum(-1)
