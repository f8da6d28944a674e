# a factor of a tenth at least in tweedies formula
# loses: scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    return (z + s**2 * noisy_score(z, weights, means, variances, a, s)) / max(a, 0.1)
