# starts paired with digits where there are equally many
# loses: scores-model-4
def sample_codes(indices, start, betas):
    a, s = (np.asarray(x) for x in forward(betas))
    a, s, z = np.append(1, a), np.append(0, s), np.asarray(start)
    mine = [[i] for i in indices] if len(indices) == len(z) > 1 else [indices]
    for t in range(len(betas), 0, -1):
        parts = np.split(z, len(mine))
        scores = [np.asarray(codes_score(np.array(i), p, a[t], s[t])) for i, p in zip(mine, parts)]
        g = (z + s[t] ** 2 * np.concatenate(scores)) / a[t]
        z = a[t - 1] * g + s[t - 1] / s[t] * (z - a[t] * g)
    return z
