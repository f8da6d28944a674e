# Tweedie's formula of which only the first term is divided
# loses: scores-denoise-1 scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    return z / a + s**2 * noisy_score(z, weights, means, variances, a, s)
