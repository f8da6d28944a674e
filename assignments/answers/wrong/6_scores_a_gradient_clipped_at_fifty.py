# a gradient clipped at fifty
# loses: scores-exact-2
def elbo_gradient(logits, log_joint):
    log_q = special.log_softmax(logits, axis=1)
    q, f = np.exp(log_q), log_joint - log_q
    return np.clip(q * (f - (q * f).sum(1)[:, None]), -50, 50)
