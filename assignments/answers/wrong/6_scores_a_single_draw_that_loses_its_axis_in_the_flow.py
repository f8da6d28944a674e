# a single draw that loses its axis in the flow
# loses: scores-model-4
def sample_codes(indices, start, betas):
    a, s = (np.asarray(x) for x in forward(betas))
    a, s, z = np.append(1, a), np.append(0, s), start
    for t in range(len(betas), 0, -1):
        g = (z + s[t] ** 2 * codes_score(indices, z, a[t], s[t])) / a[t]
        z = a[t - 1] * g + s[t - 1] / s[t] * (z - a[t] * g)
    return z.squeeze()
