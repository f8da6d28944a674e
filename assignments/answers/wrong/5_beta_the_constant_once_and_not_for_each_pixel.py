# the constant once and not for each pixel
# loses: beta-gaussian-1 beta-gaussian-2
def gaussian_nll(x, recon, variance):
    return 0.5 * ((x - recon) ** 2).sum(1) / variance + 0.5 * np.log(2 * np.pi * variance)
