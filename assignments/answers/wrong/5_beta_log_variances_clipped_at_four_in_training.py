# log variances clipped at four in training
# loses: beta-model-4
def train(seed, beta, epsilon, pace):
    encoder, decoder = small_vae(seed)
    ps = [*encoder.parameters(), *decoder.parameters()]
    losses = []
    for noise in torch.as_tensor(epsilon).float():
        mu, lv = encoder(small).chunk(2, dim=1)
        lv = lv.clamp(-4, 4)
        kl = 0.5 * (mu**2 + lv.exp() - 1 - lv).sum(1)
        loss = (((small - decoder(mu + torch.exp(lv / 2) * noise)) ** 2).sum(1) + beta * kl).mean()
        losses.append(loss.item())
        g = torch.autograd.grad(loss, ps)
        with torch.no_grad():
            for p, q in zip(ps, g):
                p -= pace * q
    return losses
