# a softmax whose probabilities are not tied
# loses: scores-through-1 scores-through-2
def straight_through_bias(logits, x, weights):
    q = special.softmax(logits)
    jacobian = np.diag(q * (1 - q))
    values = x @ special.log_expit(weights) + (1 - x) @ special.log_expit(-weights)
    slopes = weights.T @ (x[:, None] - special.expit(weights))  # a column for each draw
    return jacobian @ (slopes @ q) - jacobian @ values
