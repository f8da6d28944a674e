# digits made black and white before they are scored
# loses: elbo-model-1 elbo-model-2
def digit_elbo(indices, epsilon):
    x = digits.images[indices]
    mu, logvar = model.encode(x)
    total = 0
    for noise in torch.as_tensor(epsilon).float():
        z = mu + torch.exp(logvar / 2) * noise
        total = total + model.log_prob(x.round(), z)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
    return total / len(epsilon) - kl
