# the absolute errors
# loses: heatmaps-summary-2
def summary(errors):
    errors = np.abs(errors)
    c = errors - errors.mean()
    return errors.mean(), np.median(errors), (c**4).mean() / (c**2).mean() ** 2 - 3
