# the root of the squared errors
# loses: beta-distortion-1
def distortion(x, recon):
    return np.sqrt(((x - recon) ** 2).sum(1)).mean()
