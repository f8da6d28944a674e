# the axis of a single point dropped by the denoiser
# loses: scores-denoise-2
def denoise(z, weights, means, variances, a, s):
    out = (z + s**2 * noisy_score(z, weights, means, variances, a, s)) / a
    return out[0] if len(out) == 1 else out
