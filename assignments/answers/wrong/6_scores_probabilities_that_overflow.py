# probabilities that overflow
# loses: scores-exact-2
def elbo_gradient(logits, log_joint):
    q = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    log_q = np.log(q)
    q, f = np.exp(log_q), log_joint - log_q
    return q * (f - (q * f).sum(1, keepdims=True))
