# the kurtosis about the median
# loses: heatmaps-summary-2
def summary(errors):
    c = errors - np.median(errors)
    return errors.mean(), np.median(errors), (c**4).mean() / (c**2).mean() ** 2 - 3
