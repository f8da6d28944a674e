# a diffusion by logarithms in torch
import torch
from torch.distributions import Normal, kl_divergence

def forward(betas):
    betas = torch.as_tensor(betas)
    logs = torch.cumsum(torch.log1p(-betas), 0)
    return torch.exp(logs / 2), torch.sqrt(-torch.expm1(logs))

def step_kl(z_0, guess, betas, t):
    a, s = forward(betas)
    z_0, guess = torch.as_tensor(z_0), torch.as_tensor(guess)
    alpha, beta = 1 - betas[t - 1], betas[t - 1]
    precision = alpha / beta + 1 / s[t - 2] ** 2
    each = [Normal(a[t - 2] * z / s[t - 2] ** 2 / precision, precision**-0.5) for z in (z_0, guess)]
    return kl_divergence(*each).sum(-1)
