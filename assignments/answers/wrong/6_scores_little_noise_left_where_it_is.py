# little noise left where it is
# loses: scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    if s < 0.1:
        return z / a
    return (z + s**2 * noisy_score(z, weights, means, variances, a, s)) / a
