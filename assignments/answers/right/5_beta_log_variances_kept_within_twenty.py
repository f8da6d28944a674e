# log variances kept within twenty, which nothing reaches
def train(seed, beta, epsilon, pace):
    encoder, decoder = small_vae(seed)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    losses = []
    for noise in torch.as_tensor(epsilon).float():
        mu, logvar = encoder(small).chunk(2, dim=1)
        logvar = logvar.clamp(-20, 20)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
        recon = decoder(mu + torch.exp(logvar / 2) * noise)
        loss = (((small - recon) ** 2).sum(1) + beta * kl).mean()
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= pace * gradient
    return losses
