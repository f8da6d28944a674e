# a trained model all at once with torch distributions
def digit_elbo(indices, epsilon):
    x = digits.images[torch.as_tensor(indices)]
    mu, logvar = model.encode(x)
    q = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    z = (mu + q.scale * torch.as_tensor(epsilon, dtype=torch.float32)).flatten(0, 1)
    terms = model.log_prob(x.repeat(len(epsilon), 1, 1, 1), z).reshape(len(epsilon), -1)
    prior = torch.distributions.Normal(0.0, 1.0)
    return terms.mean(0) - torch.distributions.kl_divergence(q, prior).sum(-1)


def digit_bound(indices, epsilon):
    x = digits.images[torch.as_tensor(indices)]
    mu, logvar = model.encode(x)
    q = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    z = mu + q.scale * torch.as_tensor(epsilon, dtype=torch.float32)
    log_p = torch.stack([model.log_prob(x, row) for row in z])
    prior = torch.distributions.Normal(0.0, 1.0)
    weights = log_p + prior.log_prob(z).sum(-1) - q.log_prob(z).sum(-1)
    return (torch.logsumexp(weights, dim=0) - np.log(len(z))).tolist()
