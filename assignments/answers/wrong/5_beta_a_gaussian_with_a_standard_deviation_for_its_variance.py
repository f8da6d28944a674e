# a Gaussian with a standard deviation for its variance
# loses: beta-gaussian-2
def gaussian_nll(x, recon, s):
    return (0.5 * (x - recon)**2 / s**2 + np.log(s) + 0.5 * np.log(2 * np.pi)).sum(1)
