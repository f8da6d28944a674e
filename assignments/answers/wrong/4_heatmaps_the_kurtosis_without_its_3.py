# the kurtosis without its 3
# loses: heatmaps-summary-2
def summary(e):
    c = e - e.mean()
    return e.mean(), np.median(e), (c**4).mean() / (c**2).mean()**2
