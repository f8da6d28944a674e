# the axis of a single digit dropped
# loses: mixtures-model-2
def trained_distance(kind, first, second):
    moments = []
    for indices in (first, second):
        x = digits.images[indices].squeeze()
        x = x.reshape(len(x), 1, -1, 28) if x.ndim == 3 else x.reshape(len(x), 1, 1, 28)
        mu, logvar = (p.double().numpy() for p in models[kind].encode(x))
        moments += [mixture_mean(mu, logvar), mixture_covariance(mu, logvar)]
    return bhattacharyya(*moments)
