# the middle of unsorted errors
# loses: heatmaps-summary-1 heatmaps-summary-2
def summary(errors):
    c = errors - errors.mean()
    return errors.mean(), errors[len(errors) // 2], (c**4).mean() / (c**2).mean() ** 2 - 3
