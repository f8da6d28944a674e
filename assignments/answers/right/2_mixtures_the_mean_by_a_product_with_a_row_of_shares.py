# the mean by a product with a row of shares
def mixture_mean(mu, logvar):
    return np.full(len(mu), 1 / len(mu)) @ np.asarray(mu)
