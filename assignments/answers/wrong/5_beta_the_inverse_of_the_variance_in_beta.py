# the inverse of the variance in beta
# loses: beta-disguise-1
def beta_of_variance(variance):
    return 1 / (2 * variance)


def beta_of_mean(weight, pixels, latents):
    return weight * pixels / latents
