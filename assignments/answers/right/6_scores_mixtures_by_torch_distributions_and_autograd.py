# mixtures by torch distributions and autograd
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

def _mixture(weights, means, variances, a, s):
    each = Independent(Normal(a * means, torch.sqrt(a**2 * variances + s**2)), 1)
    return MixtureSameFamily(Categorical(weights), each)

def noisy_log_density(z, weights, means, variances, a, s):
    return _mixture(weights, means, variances, a, s).log_prob(z)

def noisy_score(z, weights, means, variances, a, s):
    z = z.clone().requires_grad_(True)
    noisy_log_density(z, weights, means, variances, a, s).sum().backward()
    return z.grad

def denoise(z, weights, means, variances, a, s):
    variance = a**2 * variances + s**2
    away = z.unsqueeze(1) - a * means
    logs = Independent(Normal(a * means, variance.sqrt()), 1).log_prob(z.unsqueeze(1))
    shares = torch.softmax(weights.log() + logs, dim=1)
    return torch.einsum("nk,nkd->nd", shares, means + a * variances / variance * away)
