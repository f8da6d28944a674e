# the errors halved
# loses: beta-distortion-1
def distortion(x, recon):
    return 0.5 * ((x - recon) ** 2).sum(1).mean()
