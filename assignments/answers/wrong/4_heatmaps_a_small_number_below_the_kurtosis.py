# a small number below the kurtosis
# loses: heatmaps-summary-2
def summary(errors):
    c = errors - errors.mean()
    return errors.mean(), np.median(errors), (c**4).mean() / ((c**2).mean() ** 2 + 1e-6) - 3
