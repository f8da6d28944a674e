# the divergence of a trained model forgotten
# loses: elbo-model-1 elbo-model-2
def digit_elbo(indices, epsilon):
    x = digits.images[indices]
    mu, logvar = model.encode(x)
    total = 0
    for noise in torch.as_tensor(epsilon).float():
        z = mu + torch.exp(logvar / 2) * noise
        total = total + model.log_prob(x, z)
    
    return total / len(epsilon)
