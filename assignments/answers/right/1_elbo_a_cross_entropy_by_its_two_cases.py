# a cross-entropy by its two cases
def log_bernoulli(x, logits):
    x, a = np.asarray(x), np.asarray(logits)
    log_one = np.where(a > 0, -np.log1p(np.exp(-np.abs(a))), a - np.log1p(np.exp(-np.abs(a))))
    return (x * log_one + (1 - x) * (log_one - a)).sum(axis=1)
