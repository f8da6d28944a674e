# the kurtosis of the errors without centring
# loses: heatmaps-summary-2
def summary(errors):
    return errors.mean(), np.median(errors), (errors**4).mean() / (errors**2).mean() ** 2 - 3
