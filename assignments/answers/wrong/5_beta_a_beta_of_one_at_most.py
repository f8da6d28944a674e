# a beta of one at most
# loses: beta-disguise-1
def beta_of_variance(variance):
    return min(2 * variance, 1.0)
def beta_of_mean(weight, pixels, latents):
    return weight * pixels / latents
