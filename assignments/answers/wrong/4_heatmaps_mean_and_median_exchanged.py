# mean and median exchanged
# loses: heatmaps-summary-1 heatmaps-summary-2
def summary(e):
    c = e - e.mean()
    return np.median(e), e.mean(), (c**4).mean() / (c**2).mean()**2 - 3
