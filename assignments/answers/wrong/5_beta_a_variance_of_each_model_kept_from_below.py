# a variance of each model kept from below
# loses: beta-choose-1
def choose_beta(betas, rates, distortions, pixels):
    return betas[(pixels / 2 * np.log(np.maximum(distortions / pixels, 4e-3)) + rates).argmin()]
