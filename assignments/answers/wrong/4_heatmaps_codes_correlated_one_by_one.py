# codes correlated one by one
# loses: heatmaps-model-1 heatmaps-model-2
def factor_direction(indices, factor):
    mu, logvar = (p.double().numpy() for p in model.encode(maps.images[indices]))
    values = maps.factors[factor][indices].double().numpy()
    return np.array([np.corrcoef(m, values)[0, 1] for m in mu.T]) / np.linalg.norm([np.corrcoef(m, values)[0, 1] for m in mu.T])
