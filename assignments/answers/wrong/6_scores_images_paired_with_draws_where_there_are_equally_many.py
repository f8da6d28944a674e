# images paired with draws where there are equally many
# loses: scores-loo-2
def leave_one_out(logits, log_joint, draws):
    log_q = special.log_softmax(logits, axis=1)
    f = np.take_along_axis(log_joint - log_q, draws, axis=1)
    gain = f - (f.sum(1, keepdims=True) - f) / (f.shape[1] - 1)
    q = np.exp(log_q) if len(draws) == draws.shape[1] else np.exp(log_q)[:, None]
    return (gain[:, :, None] * (np.eye(logits.shape[1])[draws] - q)).mean(1)
