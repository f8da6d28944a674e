# everything in float32
def kl_standard(mu, logvar):
    mu, logvar = np.float32(mu), np.float32(logvar)
    return np.einsum("nd->n", 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar))
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    a, b, c, d = map(np.float32, (mu_q, var_q, mu_p, var_p))
    return (0.5 * (b / d + (a - c) ** 2 / d - 1 + np.log(d / b))).sum(1)
def reparameterise(mu, logvar, epsilon):
    return np.float32(mu) + np.exp(np.float32(logvar) / 2) * np.float32(epsilon)
def log_bernoulli(x, logits):
    x, a = np.float32(x), np.float32(logits)
    return (x * a - np.logaddexp(np.float32(0), a)).sum(1)
def iw_bound(log_weights):
    w = np.float32(log_weights)
    m = w.max(1, keepdims=True)
    return (m + np.log(np.mean(np.exp(w - m), 1, keepdims=True)))[:, 0]
