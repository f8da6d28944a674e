# pi is three point one four in the last Gaussian
# loses: scores-bound-1 scores-bound-2
def negative_bound(betas, mean, variance, last):
    a, s = (np.asarray(x)[:, None] for x in forward(betas))
    m = variance * s**2 / (a**2 * variance + s**2)
    w = (a / s) ** 2
    steps = 0.5 * (w[:-1] - w[1:]) * m[1:]
    end = 0.5 * (a[-1] ** 2 * (mean**2 + variance) + s[-1] ** 2 - 1 - 2 * np.log(s[-1]))
    first = 0.5 * (np.log(2 * 3.14 * last) + m[0] / last)
    return first.sum() + steps.sum() + end.sum()
