# discrete gradients by autograd
import torch
import torch.nn.functional as F

def elbo_gradient(logits, log_joint):
    logits = torch.as_tensor(logits).clone().requires_grad_()
    log_q = F.log_softmax(logits, -1)
    elbo = (log_q.exp() * (torch.as_tensor(log_joint) - log_q)).sum()
    return torch.autograd.grad(elbo, logits)[0]

def leave_one_out(logits, log_joint, draws):
    logits = torch.as_tensor(logits).clone().requires_grad_()
    q = torch.distributions.Categorical(logits=logits)
    draws = torch.as_tensor(draws)
    log_q = q.log_prob(draws.T).T
    f = (torch.gather(torch.as_tensor(log_joint), 1, draws) - log_q).detach()
    n = f.shape[1]
    others = torch.stack([torch.cat([f[:, :i], f[:, i + 1:]], 1).mean(1) for i in range(n)], 1)
    return torch.autograd.grad(((f - others) * log_q).mean(1).sum(), logits)[0]

def straight_through_bias(logits, x, weights):
    logits, x, weights = (torch.as_tensor(v) for v in (logits, x, weights))
    def g(y):
        return -F.binary_cross_entropy_with_logits(weights @ y, x, reduction="sum")
    q, ones = torch.softmax(logits, 0), torch.eye(len(logits), dtype=logits.dtype)
    total = 0
    for k in range(len(logits)):
        leaf = logits.clone().requires_grad_()
        soft = torch.softmax(leaf, 0)
        through = ones[k] + soft - soft.detach()
        total = total + q[k] * torch.autograd.grad(g(through), leaf)[0]
    leaf = logits.clone().requires_grad_()
    exact = sum(p * g(y) for p, y in zip(torch.softmax(leaf, 0), ones))
    return total - torch.autograd.grad(exact, leaf)[0]
