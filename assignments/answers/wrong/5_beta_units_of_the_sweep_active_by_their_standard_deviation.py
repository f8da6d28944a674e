# units of the sweep active by their standard deviation
# loses: beta-model-2
def measured(beta, indices):
    model, x = sweep[beta], maps.images[indices]
    mu, logvar = model.encode(x)
    recon = model.decode(mu).flatten(1).double().numpy()
    mu, logvar = mu.double().numpy(), logvar.double().numpy()
    x = x.flatten(1).double().numpy()
    return rate(mu, logvar), distortion(x, recon), np.sum(mu.std(0) > 0.01)
