# pixels that are averaged, not added up
# loses: scores-through-1 scores-through-2
def straight_through_bias(logits, x, weights):
    q = special.softmax(logits)
    jacobian = np.diag(q) - np.outer(q, q)
    values = (x @ special.log_expit(weights) + (1 - x) @ special.log_expit(-weights)) / len(x)
    slopes = weights.T @ (x[:, None] - special.expit(weights)) / len(x)
    return jacobian @ (slopes @ q - values)
