# the missing ½ of the Gaussian in beta
# loses: beta-disguise-1
def beta_of_variance(variance):
    return variance


def beta_of_mean(weight, pixels, latents):
    return weight * pixels / latents
