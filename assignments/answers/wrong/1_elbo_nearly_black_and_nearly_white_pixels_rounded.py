# nearly black and nearly white pixels rounded
# loses: elbo-bernoulli-1
def log_bernoulli(x, logits):
    x = np.where(x < 0.05, 0, np.where(x > 0.95, 1, x))
    return (x * logits - np.logaddexp(0, logits)).sum(1)
