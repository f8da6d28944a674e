# a digit scored by the cross-entropy of its probabilities
# loses: elbo-model-1 elbo-model-2
def digit_elbo(indices, epsilon):
    x = digits.images[indices]
    mu, logvar = model.encode(x)
    total = 0
    for noise in torch.as_tensor(np.asarray(epsilon)).float():
        p = model.decode(mu + torch.exp(logvar / 2) * noise)
        total = total - torch.nn.functional.binary_cross_entropy(p, x, reduction="none").flatten(1).sum(1) / len(epsilon)
    return total.double().numpy() - kl_standard(mu.double().numpy(), logvar.double().numpy())
