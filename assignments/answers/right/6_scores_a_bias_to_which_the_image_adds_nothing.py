# a bias to which the image adds nothing
def straight_through_bias(logits, x, weights):
    # What is linear in the one-hot vector has no bias, so the pixels' values cancel.
    q = np.exp(logits - np.logaddexp.reduce(logits))
    gap = np.logaddexp(0, weights).sum(0) - weights.T @ special.expit(weights) @ q
    return q * gap - q * (q * gap).sum()
