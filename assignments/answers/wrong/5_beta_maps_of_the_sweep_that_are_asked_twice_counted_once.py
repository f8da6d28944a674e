# maps of the sweep that are asked twice counted once
# loses: beta-model-2
def measured(beta, indices):
    indices = np.unique(indices)
    model, x = sweep[beta], maps.images[indices]
    mu, logvar = model.encode(x)
    recon = model.decode(mu).flatten(1).double().numpy()
    mu, logvar = mu.double().numpy(), logvar.double().numpy()
    return rate(mu, logvar), distortion(x.flatten(1).double().numpy(), recon), np.sum(mu.var(0) > 0.01)
