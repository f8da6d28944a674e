# the mean over pixels for the sum
# loses: elbo-bernoulli-1 elbo-bernoulli-2
def log_bernoulli(x, logits):
    return (x * logits - np.logaddexp(0, logits)).mean(1)
