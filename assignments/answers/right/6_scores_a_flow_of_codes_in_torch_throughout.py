# a flow of codes in torch throughout
import torch

@torch.no_grad()
def codes_score(indices, z, a, s):
    codes = model.codes(digits.images[torch.as_tensor(indices)])
    mu, v = codes.mu.double(), codes.logvar.double().exp()
    z = torch.as_tensor(z)
    spread = a**2 * v + s**2
    away = a * mu - z[:, None]
    shares = torch.softmax(-0.5 * (away**2 / spread + spread.log()).sum(-1), -1)
    return (shares[..., None] * away / spread).sum(1)

def sample_codes(indices, start, betas):
    kept = torch.cat([torch.ones(1), torch.cumprod(1 - torch.as_tensor(betas), 0)])
    z = torch.as_tensor(start)
    for now, before in zip(kept.flip(0)[:-1], kept.flip(0)[1:]):
        noise = -torch.sqrt(1 - now) * codes_score(indices, z, now**0.5, (1 - now) ** 0.5)
        z = before**0.5 * (z - torch.sqrt(1 - now) * noise) / now**0.5 + (1 - before) ** 0.5 * noise
    return z
