# the axis of a single pixel dropped in the bias
# loses: scores-through-2
def straight_through_bias(logits, x, weights):
    q, weights, x = special.softmax(logits), weights.squeeze(), x.squeeze()
    values = x @ weights - np.logaddexp(0, weights).sum(0)
    d = weights.T @ (x[..., None] - special.expit(weights)) @ q - values
    return q * (d - q @ d)
