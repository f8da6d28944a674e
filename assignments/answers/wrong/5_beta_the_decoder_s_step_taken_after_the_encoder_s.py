# the decoder's step taken after the encoder's
# loses: beta-model-3 beta-model-4
def train(seed, beta, epsilon, pace):
    encoder, decoder = small_vae(seed)
    losses = []
    for noise in torch.as_tensor(epsilon).float():
        for part in (0, 1):
            mu, logvar = encoder(small).chunk(2, dim=1)
            kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
            recon = decoder(mu + torch.exp(logvar / 2) * noise)
            loss = (((small - recon) ** 2).sum(1) + beta * kl).mean()
            if not part: losses.append(loss.item())
            ps = list((encoder, decoder)[part].parameters())
            gs = torch.autograd.grad(loss, ps)
            with torch.no_grad():
                for p, g in zip(ps, gs): p -= pace * g
    return losses
