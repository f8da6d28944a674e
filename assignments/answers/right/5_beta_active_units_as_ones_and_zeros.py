# active units as ones and zeros
def active_units(mu, threshold):
    return [int(np.asarray(c).std() ** 2 > threshold) for c in np.asarray(mu).T]
