# images turned where they are fewer than dimensions
# loses: beta-active-2
def active_units(mu, threshold):
    mu = np.asarray(mu)
    if len(mu) < mu.shape[1]:
        mu = mu.T
    return mu.var(0) > threshold
