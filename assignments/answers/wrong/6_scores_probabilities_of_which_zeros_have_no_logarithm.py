# probabilities of which zeros have no logarithm
# loses: scores-exact-2
def elbo_gradient(logits, log_joint):
    log_q = np.log(special.softmax(logits, axis=1))
    q, f = np.exp(log_q), log_joint - log_q
    return q * (f - (q * f).sum(1, keepdims=True))
