# a bound by the joint density
def negative_bound(betas, mean, variance, last):
    a, s = np.array(forward(betas))
    total, n = 0.0, len(betas)
    for m, v in zip(np.asarray(mean), np.asarray(variance)):
        error = v - (a * v) ** 2 / (a**2 * v + s**2)
        total += (np.log(2 * np.pi * last) + error[0] / last) / 2
        for t in range(2, n + 1):
            total += 0.5 * error[t - 1] * a[t - 2] ** 2 * betas[t - 1] / (s[t - 2] * s[t - 1]) ** 2
        total += stats.norm.entropy() - stats.norm(scale=s[-1]).entropy()
        total += (s[-1] ** 2 + a[-1] ** 2 * (v + m**2) - 1) / 2
    return [[total]]
