# the axis of a single image dropped in the estimate
# loses: scores-loo-2
def leave_one_out(logits, log_joint, draws):
    lq = logits - special.logsumexp(logits, axis=1, keepdims=True)
    f = np.take_along_axis(log_joint - lq, draws, axis=1)
    g = f - (f.sum(1)[:, None] - f) / (f.shape[1] - 1)
    return (g[:, :, None] * (np.eye(logits.shape[1])[draws] - np.exp(lq)[:, None])).mean(1).squeeze()
