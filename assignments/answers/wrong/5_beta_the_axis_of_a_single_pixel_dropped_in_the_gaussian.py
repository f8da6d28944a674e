# the axis of a single pixel dropped in the Gaussian
# loses: beta-gaussian-2
def gaussian_nll(x, recon, variance):
    x, recon = x.squeeze(), recon.squeeze()
    return 0.5 * ((x - recon) ** 2 / variance + np.log(2 * np.pi * variance)).sum(-1)
