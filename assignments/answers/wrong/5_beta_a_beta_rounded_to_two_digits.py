# a beta rounded to two digits
# loses: beta-disguise-2
def beta_of_variance(variance):
    return 2 * variance
def beta_of_mean(weight, pixels, latents):
    return round(weight * pixels / latents, 2)
