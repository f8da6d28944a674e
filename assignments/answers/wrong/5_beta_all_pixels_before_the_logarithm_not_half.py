# all pixels before the logarithm, not half
# loses: beta-choose-1 beta-choose-2
def choose_beta(betas, rates, distortions, pixels):
    return betas[(pixels * np.log(distortions / pixels) + rates).argmin()]
