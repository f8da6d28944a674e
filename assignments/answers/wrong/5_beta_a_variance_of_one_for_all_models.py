# a variance of one for all models
# loses: beta-choose-1 beta-choose-2
def choose_beta(betas, rates, distortions, pixels):
    return betas[(distortions / 2 + rates).argmin()]
