# the dark pixels left out
# loses: elbo-bernoulli-1 elbo-bernoulli-2
def log_bernoulli(x, logits):
    return (-x * np.logaddexp(0, -logits)).sum(1)
