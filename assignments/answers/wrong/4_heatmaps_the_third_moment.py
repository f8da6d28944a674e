# the third moment
# loses: heatmaps-summary-2
def summary(errors):
    c = errors - errors.mean()
    return errors.mean(), np.median(errors), (c**3).mean() / (c**2).mean() ** 1.5
