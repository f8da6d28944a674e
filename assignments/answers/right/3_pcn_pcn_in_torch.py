# pCN in torch
import torch

def propose(z, xi, step):
    return torch.sqrt(torch.tensor(1 - step**2)) * z + step * xi

def log_acceptance(log_l_new, log_l_old):
    return torch.clamp(log_l_new - log_l_old, max=0)

def pcn(log_likelihood, start, step, xi, u):
    z, out = start.clone(), torch.empty_like(xi)
    for t in range(xi.shape[0]):
        new = propose(z, xi[t], step)
        yes = u[t].log() < log_acceptance(log_likelihood(new), log_likelihood(z))
        z[yes] = new[yes]
        out[t] = z
    return out

def acceptance_rate(start, states):
    all_states = torch.cat([start.unsqueeze(0), states])
    return (all_states.diff(dim=0) != 0).any(dim=2).double().mean(dim=0)
