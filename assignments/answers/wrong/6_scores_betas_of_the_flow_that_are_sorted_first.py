# betas of the flow that are sorted first
# loses: scores-model-3 scores-model-4
def sample_codes(indices, start, betas):
    a, s = (np.asarray(x) for x in forward(np.sort(betas)))
    a, s = np.append(1, a), np.append(0, s)
    z = start
    for t in range(len(betas), 0, -1):
        guess = (z + s[t] ** 2 * np.asarray(codes_score(indices, z, a[t], s[t]))) / a[t]
        z = a[t - 1] * guess + s[t - 1] / s[t] * (z - a[t] * guess)
    return z
