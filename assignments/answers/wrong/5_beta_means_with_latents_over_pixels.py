# means with latents over pixels
# loses: beta-disguise-2
def beta_of_variance(variance):
    return 2 * variance


def beta_of_mean(weight, pixels, latents):
    return weight * latents / pixels
