# a standard deviation in beta
# loses: beta-disguise-1
def beta_of_variance(variance):
    return 2 * variance**0.5


def beta_of_mean(weight, pixels, latents):
    return weight * pixels / latents
