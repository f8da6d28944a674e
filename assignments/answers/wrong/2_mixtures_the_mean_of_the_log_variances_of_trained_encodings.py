# the mean of the log variances of trained encodings
# loses: mixtures-model-1 mixtures-model-2
def trained_distance(kind, first, second):
    moments = []
    for indices in (first, second):
        mu, logvar = (p.double().numpy() for p in models[kind].encode(digits.images[indices]))
        moments += [mixture_mean(mu, logvar), np.cov(mu.T, bias=True) + np.diag(np.exp(logvar.mean(0)))]
    return bhattacharyya(*moments)
