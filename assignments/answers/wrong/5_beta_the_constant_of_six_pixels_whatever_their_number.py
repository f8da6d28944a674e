# the constant of six pixels whatever their number
# loses: beta-gaussian-2
def gaussian_nll(x, recon, variance):
    return 0.5 * ((x - recon) ** 2 / variance).sum(1) + 3 * np.log(2 * np.pi * variance)
