# a variance in the likelihood kept from below
# loses: beta-gaussian-2
def gaussian_nll(x, recon, variance):
    variance = max(variance, 2e-5)
    return 0.5 * ((x - recon) ** 2 / variance + np.log(2 * np.pi * variance)).sum(1)
