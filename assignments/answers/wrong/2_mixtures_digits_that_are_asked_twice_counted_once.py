# digits that are asked twice counted once
# loses: mixtures-model-2
def trained_distance(kind, first, second):
    moments = []
    for indices in (np.unique(first), np.unique(second)):
        mu, logvar = (p.double().numpy() for p in models[kind].encode(digits.images[indices]))
        moments += [mixture_mean(mu, logvar), mixture_covariance(mu, logvar)]
    return bhattacharyya(*moments)
