# mixtures in torch
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

def log_density(z, mu, logvar):
    parts = Independent(Normal(mu, (logvar / 2).exp()), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(mu)).to(mu)), parts).log_prob(z)

def mixture_mean(mu, logvar):
    return torch.mean(mu, dim=0)

def mixture_covariance(mu, logvar):
    second = torch.diag_embed(logvar.exp()) + mu.unsqueeze(2) @ mu.unsqueeze(1)
    mean = mu.mean(dim=0)
    return second.mean(dim=0) - torch.outer(mean, mean)

def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    both, shift = (cov_1 + cov_2) / 2, mean_1 - mean_2
    first = shift @ torch.linalg.inv(both) @ shift / 8
    dets = torch.logdet(cov_1) + torch.logdet(cov_2)
    return first + 0.5 * (torch.logdet(both) - 0.5 * dets)

def classify(z, mu, logvar, labels):
    scores = [log_density(z, mu[labels == c], logvar[labels == c])
              + (labels == c).double().mean().log() for c in labels.unique()]
    return torch.stack(scores, dim=1).argmax(dim=1)
