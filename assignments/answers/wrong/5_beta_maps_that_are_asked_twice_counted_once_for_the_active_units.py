# maps that are asked twice counted once for the active units
# loses: beta-model-2
def measured(beta, indices):
    model, x = sweep[beta], maps.images[indices]
    mu, logvar = (part.double().numpy() for part in model.encode(x))
    recon = model.decode(torch.tensor(mu).float()).flatten(1).double().numpy()
    once = model.encode(maps.images[np.unique(indices)])[0].double().numpy()
    active = np.sum(active_units(once, 0.01))
    return rate(mu, logvar), distortion(x.flatten(1).double().numpy(), recon), active
