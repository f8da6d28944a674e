# pixels along the longer axis in the bias
# loses: scores-through-2
def straight_through_bias(logits, x, weights):
    q = special.softmax(logits)
    values = x @ weights - np.logaddexp(0, weights).sum(int(np.argmax(weights.shape)))
    d = weights.T @ (x[:, None] - special.expit(weights)) @ q - values
    return q * (d - q @ d)
