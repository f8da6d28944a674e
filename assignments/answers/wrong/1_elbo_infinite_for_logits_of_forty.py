# infinite for logits of forty
# loses: elbo-bernoulli-2
def log_bernoulli(x, logits):
    p = 1 / (1 + np.exp(-np.clip(logits, -100, 100)))
    eps = 1e-12
    near = x * np.log(p + eps) + (1 - x) * np.log(1 - p + eps)
    far = x * logits - np.maximum(logits, 0)
    return np.where(abs(logits) < 100, near, far).sum(1)
