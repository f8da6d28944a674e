# logits cut at a hundred
# loses: scores-exact-2
def elbo_gradient(logits, log_joint):
    log_q = special.log_softmax(np.clip(logits, -100, 100), axis=1)
    q, f = np.exp(log_q), log_joint - log_q
    return q * (f - (q * f).sum(1, keepdims=True))
