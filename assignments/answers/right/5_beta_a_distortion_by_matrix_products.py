# a distortion by matrix products
def distortion(x, recon):
    d = np.asarray(x) - np.asarray(recon)
    return np.trace(d @ d.T) / len(d)
