# a single map that loses its axis
# loses: beta-model-2
def measured(beta, indices):
    model, x = sweep[beta], maps.images[indices]
    mu, lv = (p.double().numpy() for p in model.encode(x))
    r = model.decode(torch.tensor(mu).float()).squeeze().double().numpy()
    x = x.squeeze().double().numpy()
    return rate(mu, lv), ((x - r) ** 2).sum((1, 2)).mean(), np.sum(active_units(mu, 0.01))
