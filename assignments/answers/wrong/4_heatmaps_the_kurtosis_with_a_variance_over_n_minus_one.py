# the kurtosis with a variance over N minus one
# loses: heatmaps-summary-2
def summary(errors):
    c = errors - errors.mean()
    return errors.mean(), np.median(errors), (c**4).mean() / errors.var(ddof=1) ** 2 - 3
