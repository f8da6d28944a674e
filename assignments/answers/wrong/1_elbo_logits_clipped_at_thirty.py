# logits clipped at thirty
# loses: elbo-bernoulli-2
def log_bernoulli(x, logits):
    logits = np.clip(logits, -30, 30)
    return (x * logits - np.logaddexp(0, logits)).sum(1)
