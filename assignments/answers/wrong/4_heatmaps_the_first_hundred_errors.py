# the first hundred errors
# loses: heatmaps-summary-2
def summary(errors):
    errors = errors[:100]
    c = errors - errors.mean()
    return errors.mean(), np.median(errors), (c**4).mean() / (c**2).mean() ** 2 - 3
