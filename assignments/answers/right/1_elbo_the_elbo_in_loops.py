# the ELBO in loops
import math

def kl_standard(mu, logvar):
    result = []
    for ms, ls in zip(mu, logvar):
        result.append(sum((m * m + math.exp(s) - 1 - s) / 2 for m, s in zip(ms, ls)))
    return result

def kl_gaussians(mu_q, var_q, mu_p, var_p):
    result = []
    for n in range(len(mu_q)):
        total = 0.0
        for j in range(len(mu_q[n])):
            ratio = var_q[n][j] / var_p[n][j]
            shift = (mu_q[n][j] - mu_p[n][j]) ** 2 / var_p[n][j]
            total += 0.5 * (ratio + shift - 1 - math.log(ratio))
        result.append(total)
    return result

def reparameterise(mu, logvar, epsilon):
    return np.array([[[m + math.exp(s / 2) * e for m, s, e in zip(*row)]
                      for row in zip(mu, logvar, draw)] for draw in epsilon])

def log_bernoulli(x, logits):
    result = np.zeros(len(x), dtype=np.float32)
    for n in range(len(x)):
        for b, a in zip(x[n], logits[n]):
            softplus = max(a, 0) + math.log1p(math.exp(-abs(a)))
            result[n] += b * a - softplus
    return result

def elbo(x, mu, logvar, epsilon, decode):
    kl = kl_standard(mu, logvar)
    draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]
    return [np.mean([d[n] for d in draws]) - kl[n] for n in range(len(x))]

def iw_bound(log_weights):
    bounds = []
    for row in log_weights:
        top = max(row)
        bounds.append(top + math.log(sum(math.exp(w - top) for w in row) / len(row)))
    return bounds
