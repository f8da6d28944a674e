# reconstructions clipped to the range of pixels in the likelihood
# loses: beta-gaussian-2
def gaussian_nll(x, recon, variance):
    return 0.5 * ((x - np.clip(recon, 0, 1)) ** 2 / variance + np.log(2 * np.pi * variance)).sum(1)
