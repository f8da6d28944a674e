# a factor's direction whose first entry is made positive
# loses: heatmaps-model-2
def factor_direction(indices, factor):
    mu = model.encode(maps.images[indices])[0].double().numpy()
    w = direction(mu, maps.factors[factor][indices].double().numpy())
    return w * np.sign(w[0])
