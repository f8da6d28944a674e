# leave one out with nothing but the category drawn
def leave_one_out(logits, log_joint, draws):
    shifted = logits - logits.max(1, keepdims=True)
    log_q = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    result = np.zeros(logits.shape)
    for n, row in enumerate(draws):
        f = (log_joint - log_q)[n, row]
        # What is subtracted adds up to zero over the draws, so the softmax cancels.
        for k, value in zip(row, (f - f.mean()) / (len(row) - 1)):
            result[n, k] += value
    return result
