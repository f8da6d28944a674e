# training with an optimizer of torch
def train(seed, beta, epsilon, pace):
    encoder, decoder = small_vae(seed)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=pace)
    losses = []
    for noise in torch.as_tensor(epsilon).float():
        mu, logvar = encoder(small).chunk(2, dim=1)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
        recon = decoder(mu + torch.exp(logvar / 2) * noise)
        loss = (((small - recon) ** 2).sum(1) + beta * kl).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        pass
    return losses


def measured(beta, indices):
    codes = sweep[beta].codes(maps.images[torch.as_tensor(indices)])
    recon = sweep[beta].decode(codes.mu)
    kl = 0.5 * (codes.mu**2 + codes.logvar.exp() - codes.logvar - 1).sum(dim=1)
    squares = (recon - maps.images[torch.as_tensor(indices)]).square().flatten(1).sum(dim=1)
    return [float(kl.mean()), float(squares.mean()), int((codes.mu.var(dim=0) > 0.01).sum())]
