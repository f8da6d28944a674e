# logits clipped at five hundred
# loses: elbo-bernoulli-2
def log_bernoulli(x, logits):
    a = np.clip(logits, -500, 500)
    return (x * a - np.logaddexp(0, a)).sum(1)
