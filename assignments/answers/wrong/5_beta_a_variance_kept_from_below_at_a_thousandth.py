# a variance kept from below at a thousandth
# loses: beta-gaussian-2
def gaussian_nll(x, recon, variance):
    variance = max(variance, 1e-3)
    return 0.5 * ((x - recon) ** 2 / variance + np.log(2 * np.pi * variance)).sum(1)
