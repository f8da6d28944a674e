# the worst bound
# loses: beta-choose-1 beta-choose-2
def choose_beta(betas, rates, distortions, pixels):
    return betas[(pixels / 2 * np.log(distortions) + rates).argmax()]
