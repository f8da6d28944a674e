# pi is three point one four
# loses: beta-gaussian-1 beta-gaussian-2
def gaussian_nll(x, recon, variance):
    return 0.5 * ((x - recon) ** 2 / variance + np.log(2 * 3.14 * variance)).sum(1)
