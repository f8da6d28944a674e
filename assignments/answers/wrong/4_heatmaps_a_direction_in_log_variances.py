# a direction in log variances
# loses: heatmaps-model-1 heatmaps-model-2
def factor_direction(indices, factor):
    mu, logvar = (p.double().numpy() for p in model.encode(maps.images[indices]))
    values = maps.factors[factor][indices].double().numpy()
    return direction(logvar, values)
