# the mean of the log weights of a trained model
# loses: elbo-model-4
def digit_bound(indices, epsilon):
    x = digits.images[indices]
    mu, logvar = model.encode(x)
    weights = []
    for noise in torch.as_tensor(epsilon).float():
        z = mu + torch.exp(logvar / 2) * noise
        weights.append(model.log_prob(x, z) + 0.5 * (noise**2 + logvar - z**2).sum(1))
    weights = torch.stack(weights)
    return weights.mean(0)
