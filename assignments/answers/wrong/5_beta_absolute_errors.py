# absolute errors
# loses: beta-distortion-1
def distortion(x, recon):
    return np.abs(x - recon).sum(1).mean()
