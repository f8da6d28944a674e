# images that are turned when they have more rows than pixels
# loses: elbo-bernoulli-2
def log_bernoulli(x, logits):
    if x.shape[0] > x.shape[1]:
        return (x * logits - np.logaddexp(0, logits)).sum(0)
    return (x * logits - np.logaddexp(0, logits)).sum(1)
