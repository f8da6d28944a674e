# the logarithm of the distortion without the pixels before it
# loses: beta-choose-1 beta-choose-2
def choose_beta(betas, rates, distortions, pixels):
    return betas[(np.log(distortions / pixels) / 2 + rates).argmin()]
