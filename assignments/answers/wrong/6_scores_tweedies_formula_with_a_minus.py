# Tweedie's formula with a minus
# loses: scores-denoise-1 scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    return (z - s**2 * noisy_score(z, weights, means, variances, a, s)) / a
