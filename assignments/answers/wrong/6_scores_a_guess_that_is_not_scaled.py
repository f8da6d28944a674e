# a guess that is not scaled
# loses: scores-model-3 scores-model-4
def sample_codes(indices, start, betas):
    a, s = forward(betas)
    a, s = np.append(1, a), np.append(0, s)
    z = start
    for t in range(len(betas), 0, -1):
        guess = (z + s[t] ** 2 * codes_score(indices, z, a[t], s[t])) / a[t]
        noise = (z - a[t] * guess) / s[t]
        z = guess + s[t - 1] * noise
    return z
