# logits taken for probabilities
# loses: elbo-bernoulli-1 elbo-bernoulli-2
def log_bernoulli(x, logits):
    p = np.clip(logits, 1e-6, 1 - 1e-6)
    return (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(1)
