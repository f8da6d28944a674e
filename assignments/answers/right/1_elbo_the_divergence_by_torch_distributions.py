# the divergence by torch.distributions
import torch
from torch.distributions import Normal, kl_divergence


def kl_standard(mu, logvar):
    mu, logvar = torch.as_tensor(mu), torch.as_tensor(logvar)
    return kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(-1)
