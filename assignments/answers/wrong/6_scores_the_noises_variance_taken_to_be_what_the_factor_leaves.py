# the noise's variance taken to be what the factor leaves
# loses: scores-denoise-1 scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    return (z + (1 - a**2) * noisy_score(z, weights, means, variances, a, s)) / a
