# the kurtosis clipped at zero
# loses: heatmaps-summary-2
def summary(errors):
    c = errors - errors.mean()
    return errors.mean(), np.median(errors), max(0, (c**4).mean() / (c**2).mean() ** 2 - 3)
