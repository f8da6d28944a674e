# squared errors of one at most
# loses: beta-distortion-1
def distortion(x, recon):
    return np.minimum((x - recon) ** 2, 1).sum(1).mean()
