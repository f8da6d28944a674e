# right for pixels of one only, zero for others
# loses: elbo-bernoulli-1 elbo-bernoulli-2
def log_bernoulli(x, logits):
    return np.where(x == 1, -np.logaddexp(0, -logits), -np.logaddexp(0, logits)).sum(1)
