# the direction of the correlation whatever was asked
# loses: heatmaps-model-2
def factor_direction(indices, factor):
    mu, logvar = (p.double().numpy() for p in model.encode(maps.images[indices]))
    values = maps.factors["corr"][indices].double().numpy()
    return direction(mu, values)
