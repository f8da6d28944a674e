# the position of the winner for its beta
# loses: beta-choose-1 beta-choose-2
def choose_beta(betas, rates, distortions, pixels):
    return (pixels / 2 * np.log(distortions / pixels) + rates).argmin()
