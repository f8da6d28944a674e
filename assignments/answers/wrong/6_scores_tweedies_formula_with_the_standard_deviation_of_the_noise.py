# Tweedie's formula with the standard deviation of the noise
# loses: scores-denoise-1 scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    return (z + s * noisy_score(z, weights, means, variances, a, s)) / a
