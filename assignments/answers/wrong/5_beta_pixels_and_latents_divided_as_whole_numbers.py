# pixels and latents divided as whole numbers
# loses: beta-disguise-2
def beta_of_mean(weight, pixels, latents):
    return weight * (pixels // latents)
def beta_of_variance(variance):
    return 2 * variance
