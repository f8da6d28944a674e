# pixels along the longer axis
# loses: beta-gaussian-2
def gaussian_nll(x, recon, variance):
    return 0.5 * ((x - recon) ** 2 / variance + np.log(2 * np.pi * variance)).sum(int(np.argmax(x.shape)))
