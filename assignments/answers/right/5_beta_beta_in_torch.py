# beta in torch
import torch

def rate(mu, logvar):
    return (-0.5 * (1 + logvar - mu.pow(2) - logvar.exp())).sum(dim=1).mean()

def distortion(x, recon):
    return torch.nn.functional.mse_loss(recon, x, reduction="sum") / x.shape[0]

def gaussian_nll(x, recon, variance):
    return -torch.distributions.Normal(recon, variance**0.5).log_prob(x).sum(dim=1)

def optimal_variance(x, recon):
    return torch.mean((x - recon) ** 2)

def active_units(mu, threshold):
    return torch.var(mu, dim=0) > threshold

def choose_beta(betas, rates, distortions, pixels):
    variance = distortions / pixels
    bound = -(pixels / 2 * torch.log(2 * torch.pi * variance) + pixels / 2 + rates)
    return betas[torch.argmax(bound)]
