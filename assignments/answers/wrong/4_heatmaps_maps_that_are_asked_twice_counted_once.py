# maps that are asked twice counted once
# loses: heatmaps-model-2
def factor_direction(indices, factor):
    mu = model.encode(maps.images[np.unique(indices)])[0].double().numpy()
    return direction(mu, maps.factors[factor][np.unique(indices)].double().numpy())
