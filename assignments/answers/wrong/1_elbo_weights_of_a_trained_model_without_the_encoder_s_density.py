# weights of a trained model without the encoder s density
# loses: elbo-model-3 elbo-model-4
def digit_bound(indices, epsilon):
    x = digits.images[indices]
    mu, logvar = model.encode(x)
    weights = []
    for noise in torch.as_tensor(epsilon).float():
        z = mu + torch.exp(logvar / 2) * noise
        weights.append(model.log_prob(x, z) - 0.5 * (z**2 + np.log(2 * np.pi)).sum(1))
    weights = torch.stack(weights)
    return torch.logsumexp(weights, 0) - np.log(len(weights))
