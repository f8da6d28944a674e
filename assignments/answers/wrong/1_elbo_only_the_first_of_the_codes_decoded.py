# only the first of the codes decoded
# loses: elbo-model-2
def digit_elbo(indices, epsilon):
    x = digits.images[indices]
    mu, logvar = model.encode(x)
    z = mu + torch.exp(logvar / 2) * torch.as_tensor(epsilon[0]).float()
    return model.log_prob(x, z) - 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
