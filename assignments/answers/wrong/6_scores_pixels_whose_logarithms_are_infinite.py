# pixels whose logarithms are infinite
# loses: scores-through-2
def straight_through_bias(logits, x, weights):
    q = special.softmax(logits)
    jacobian = np.diag(q) - np.outer(q, q)
    values = x @ np.log(special.expit(weights)) + (1 - x) @ np.log(1 - special.expit(weights))
    slopes = weights.T @ (x[:, None] - special.expit(weights))  # a column for each draw
    return jacobian @ (slopes @ q) - jacobian @ values
