# Euler's steps of the flow
# loses: scores-model-3 scores-model-4
def sample_codes(indices, start, betas):
    a, s = forward(betas)
    z = start
    for t in range(len(betas) - 1, -1, -1):
        z = z + 0.5 * betas[t] * (z + codes_score(indices, z, a[t], s[t]))
    return z
