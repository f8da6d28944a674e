# errors turned where images are fewer than pixels
# loses: beta-distortion-1
def distortion(x, recon):
    return ((x - recon) ** 2).sum() / max(x.shape)
