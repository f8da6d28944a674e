# probabilities up to logits of two hundred
# loses: elbo-bernoulli-2
def log_bernoulli(x, logits):
    out = np.zeros(len(x))
    for n in range(len(x)):
        for p in range(x.shape[1]):
            a = logits[n, p]
            if abs(a) >= 200:
                out[n] += x[n, p] * a - max(a, 0)
            else:
                s = 1 / (1 + np.exp(-a))
                out[n] += x[n, p] * np.log(s) + (1 - x[n, p]) * np.log(1 - s)
    return out
