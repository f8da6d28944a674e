# betas of the bound that are sorted first
# loses: scores-bound-1
def negative_bound(betas, mean, variance, last):
    a, s = (np.asarray(x)[:, None] for x in forward(np.sort(betas)))
    missed = variance * s**2 / (a**2 * variance + s**2)
    signal = (a / s) ** 2
    steps = 0.5 * (signal[:-1] - signal[1:]) * missed[1:]
    end = 0.5 * (a[-1] ** 2 * (mean**2 + variance) + s[-1] ** 2 - 1 - 2 * np.log(s[-1]))
    first = 0.5 * (np.log(2 * np.pi * last) + missed[0] / last)
    return first.sum() + steps.sum() + end.sum()
