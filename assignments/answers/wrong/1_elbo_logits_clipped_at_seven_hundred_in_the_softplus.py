# logits clipped at seven hundred in the softplus
# loses: elbo-bernoulli-2
def log_bernoulli(x, logits):
    return (x * logits - np.log1p(np.exp(np.clip(logits, -700, 700)))).sum(1)
