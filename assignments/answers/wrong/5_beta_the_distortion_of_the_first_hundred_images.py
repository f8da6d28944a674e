# the distortion of the first hundred images
# loses: beta-distortion-1
def distortion(x, recon):
    return ((x[:100] - recon[:100]) ** 2).sum(1).mean()
