# a pace that slows down
# loses: beta-model-3 beta-model-4
def train(seed, beta, epsilon, pace):
    """The losses before each step of gradient descent, [T]."""
    encoder, decoder = small_vae(seed)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    losses = []
    for noise in torch.as_tensor(epsilon).float():
        mu, logvar = encoder(small).chunk(2, dim=1)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
        recon = decoder(mu + torch.exp(logvar / 2) * noise)
        loss = (((small - recon) ** 2).sum(1) + beta * kl).mean()
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= pace * 0.99 ** len(losses) * gradient
    return losses
