# probabilities kept from zero by a small number
# loses: elbo-bernoulli-2
def log_bernoulli(x, logits):
    p = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
    return (x * np.log(p + 1e-8) + (1 - x) * np.log(1 - p + 1e-8)).sum(1)
