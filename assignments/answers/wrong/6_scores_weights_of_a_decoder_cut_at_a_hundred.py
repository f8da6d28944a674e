# weights of a decoder cut at a hundred
# loses: scores-through-2
def straight_through_bias(logits, x, weights):
    q = special.softmax(logits)
    w = np.clip(weights, -100, 100)
    values = x @ w - np.logaddexp(0, w).sum(0)
    d = w.T @ (x[:, None] - special.expit(w)) @ q - values
    return q * (d - q @ d)
