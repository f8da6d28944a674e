# noise of a twentieth at least in tweedies formula
# loses: scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    s = max(s, 0.05)
    return (z + s**2 * noisy_score(z, weights, means, variances, a, s)) / a
