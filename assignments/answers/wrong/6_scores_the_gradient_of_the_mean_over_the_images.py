# the gradient of the mean over the images
# loses: scores-exact-1 scores-exact-2
def elbo_gradient(logits, log_joint):
    log_q = special.log_softmax(logits, axis=1)
    q, f = np.exp(log_q), log_joint - log_q
    return q * (f - (q * f).sum(1, keepdims=True)) / len(logits)
