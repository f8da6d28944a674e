# the distortion as a mean over pixels
# loses: beta-distortion-1
def distortion(x, recon):
    return ((x - recon)**2).mean()
