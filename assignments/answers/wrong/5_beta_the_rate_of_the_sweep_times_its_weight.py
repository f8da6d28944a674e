# the rate of the sweep times its weight
# loses: beta-model-1 beta-model-2
def measured(beta, indices):
    model, x = sweep[beta], maps.images[indices]
    mu, logvar = model.encode(x)
    recon = model.decode(mu).flatten(1).double().numpy()
    mu, logvar = mu.double().numpy(), logvar.double().numpy()
    x = x.flatten(1).double().numpy()
    return beta * rate(mu, logvar), distortion(x, recon), np.sum(active_units(mu, 0.01))
