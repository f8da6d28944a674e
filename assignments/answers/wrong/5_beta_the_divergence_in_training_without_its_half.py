# the divergence in training without its half
# loses: beta-model-3 beta-model-4
def train(seed, beta, epsilon, pace):
    encoder, decoder = small_vae(seed)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=pace)
    losses = []
    for noise in torch.as_tensor(epsilon).float():
        mu, logvar = encoder(small).chunk(2, dim=1)
        kl = (mu**2 + logvar.exp() - 1 - logvar).sum(1)
        recon = decoder(mu + torch.exp(logvar / 2) * noise)
        loss = (((small - recon) ** 2).sum(1) + beta * kl).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        pass
    return losses
