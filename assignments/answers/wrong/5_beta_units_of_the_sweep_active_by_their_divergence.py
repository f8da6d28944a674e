# units of the sweep active by their divergence
# loses: beta-model-2
def measured(beta, indices):
    model, x = sweep[beta], maps.images[indices]
    mu, logvar = model.encode(x)
    recon = model.decode(mu).flatten(1).double().numpy()
    mu, logvar = mu.double().numpy(), logvar.double().numpy()
    k = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(0)
    return k.sum(), distortion(x.flatten(1).double().numpy(), recon), np.sum(k > 0.01)
