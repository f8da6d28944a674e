# a digit's probabilities kept from zero by a ten-millionth
# loses: elbo-model-1 elbo-model-2
def digit_elbo(indices, epsilon):
    x = digits.images[indices]
    mu, logvar = (part.double().numpy() for part in model.encode(x))
    total = 0
    for noise in np.asarray(epsilon):
        z = mu + np.exp(logvar / 2) * noise
        p = model.decode(torch.tensor(z).float()).flatten(1).double().numpy().clip(1e-7, 1 - 1e-7)
        t = x.flatten(1).double().numpy()
        total = total + (t * np.log(p) + (1 - t) * np.log(1 - p)).sum(1) / len(epsilon)
    return total - kl_standard(mu, logvar)
