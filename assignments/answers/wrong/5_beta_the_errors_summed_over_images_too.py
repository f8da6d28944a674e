# the errors summed over images too
# loses: beta-distortion-1
def distortion(x, recon):
    return ((x - recon) ** 2).sum()
