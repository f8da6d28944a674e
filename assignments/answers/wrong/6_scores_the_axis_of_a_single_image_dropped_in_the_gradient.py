# the axis of a single image dropped in the gradient
# loses: scores-exact-2
def elbo_gradient(logits, log_joint):
    logits, log_joint = np.squeeze(logits), np.squeeze(log_joint)
    log_q = special.log_softmax(logits, axis=-1)
    q, f = np.exp(log_q), log_joint - log_q
    return q * (f - (q * f).sum(-1, keepdims=True))
