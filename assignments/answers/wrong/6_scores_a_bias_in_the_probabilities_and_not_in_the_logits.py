# a bias in the probabilities and not in the logits
# loses: scores-through-1 scores-through-2
def straight_through_bias(logits, x, weights):
    q = special.softmax(logits)
    values = x @ special.log_expit(weights) + (1 - x) @ special.log_expit(-weights)
    slopes = weights.T @ (x[:, None] - special.expit(weights))
    return slopes @ q - values
