# the divergence as a list comprehension over rows
def kl_standard(mu, logvar):
    return [float(sum(0.5 * (m * m + np.exp(v) - 1 - v) for m, v in zip(a, b))) for a, b in zip(mu, logvar)]
