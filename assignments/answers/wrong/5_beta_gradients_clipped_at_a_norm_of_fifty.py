# gradients clipped at a norm of fifty
# loses: beta-model-4
def train(seed, beta, epsilon, pace):
    encoder, decoder = small_vae(seed)
    ps = [*encoder.parameters(), *decoder.parameters()]
    opt = torch.optim.SGD(ps, lr=pace)
    losses = []
    for noise in torch.as_tensor(epsilon).float():
        mu, lv = encoder(small).chunk(2, dim=1)
        kl = 0.5 * (mu**2 + lv.exp() - 1 - lv).sum(1)
        loss = (((small - decoder(mu + torch.exp(lv / 2) * noise)) ** 2).sum(1) + beta * kl).mean()
        losses.append(loss.item())
        opt.zero_grad(); loss.backward()
        torch.nn.utils.clip_grad_norm_(ps, 50)
        opt.step()
    return losses
