# the ELBO in torch
import torch

def kl_standard(mu, logvar):
    return 0.5 * torch.sum(mu.pow(2) + logvar.exp() - 1 - logvar, dim=1)

from torch.distributions import Independent, Normal, kl_divergence

def kl_gaussians(mu_q, var_q, mu_p, var_p):
    q, p = (Independent(Normal(m, v.sqrt()), 1) for m, v in ((mu_q, var_q), (mu_p, var_p)))
    return kl_divergence(q, p)

def reparameterise(mu, logvar, epsilon):
    return mu.float() + torch.exp(0.5 * logvar.float()) * epsilon.float()

def log_bernoulli(x, logits):
    return -torch.nn.functional.binary_cross_entropy_with_logits(
        logits, x.to(logits), reduction="none").sum(-1)

def elbo(x, mu, logvar, epsilon, decode):
    total = torch.zeros(len(x))
    for z in reparameterise(mu, logvar, epsilon).unbind(0):
        total += log_bernoulli(x, decode(z))
    return total / epsilon.shape[0] - kl_standard(mu, logvar)

def iw_bound(log_weights):
    return torch.logsumexp(log_weights, 1) - torch.tensor(float(log_weights.shape[1])).log()
