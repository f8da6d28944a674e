# the summary by scipy, as a list
def summary(errors):
    errors = np.asarray(errors)
    return [errors.mean(), np.percentile(errors, 50), stats.kurtosis(errors)]
