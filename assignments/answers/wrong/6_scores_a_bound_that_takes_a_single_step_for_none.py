# a bound that takes a single step for none
# loses: scores-bound-2
def negative_bound(betas, mean, variance, last):
    a, s = (np.asarray(x)[:, None] for x in forward(betas))
    missed = variance * s**2 / (a**2 * variance + s**2)
    g = (a / s) ** 2
    steps = 0.5 * (g[:-1] - g[1:]) * missed[1:]
    end = 0.5 * (a[-1] ** 2 * (mean**2 + variance) + s[-1] ** 2 - 1 - 2 * np.log(s[-1])) if len(betas) > 1 else 0 * mean
    first = 0.5 * (np.log(2 * np.pi * last) + missed[0] / last)
    return first.sum() + steps.sum() + end.sum()
