# the likelihood for its negative
# loses: beta-gaussian-1 beta-gaussian-2
def gaussian_nll(x, recon, variance):
    return -0.5 * ((x - recon) ** 2 / variance + np.log(2 * np.pi * variance)).sum(1)
