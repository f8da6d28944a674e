# reconstructions clipped to the range of pixels
# loses: beta-distortion-1
def distortion(x, recon):
    return ((x - np.clip(recon, 0, 1)) ** 2).sum(1).mean()
