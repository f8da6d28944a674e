# weights of a trained model without prior and encoder
# loses: elbo-model-3 elbo-model-4
def digit_bound(indices, epsilon):
    x = digits.images[indices]
    mu, logvar = model.encode(x)
    weights = []
    for noise in torch.as_tensor(epsilon).float():
        z = mu + torch.exp(logvar / 2) * noise
        weights.append(model.log_prob(x, z))
    weights = torch.stack(weights)
    return torch.logsumexp(weights, 0) - np.log(len(weights))
