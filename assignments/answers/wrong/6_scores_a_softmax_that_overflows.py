# a softmax that overflows
# loses: scores-through-2
def straight_through_bias(logits, x, weights):
    q = np.exp(logits) / np.exp(logits).sum()
    jacobian = np.diag(q) - np.outer(q, q)
    values = x @ special.log_expit(weights) + (1 - x) @ special.log_expit(-weights)
    slopes = weights.T @ (x[:, None] - special.expit(weights))  # a column for each draw
    return jacobian @ (slopes @ q) - jacobian @ values
